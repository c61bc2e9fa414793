#include "token/softhsm.h"

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "pkcs11/slot.h"
#include "token/folder_lock.h"
#include "token/storage_folders.h"
#include "token/token_error.h"

namespace keyhold::token {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTokens = "tokens";
constexpr std::string_view kConfiguration = "softhsm2.conf";
constexpr std::string_view kMade = "token-made";

Error failed(const fs::path& path, const std::error_code& error) {
  return internal("preparing SoftHSM: " + path.string() + ": " + error.message());
}

/// A folder that nobody else may look into.
Result<void> make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return failed(folder, error);
  fs::permissions(folder, fs::perms::owner_all, error);
  if (error) return failed(folder, error);
  return {};
}

pkcs11::Result<void> make_token(const SoftHsmRequest& request) {
  pkcs11::ModuleOptions options;
  options.path = request.module;
  PKCS11_TRY_ASSIGN(const auto module, pkcs11::Module::load(options));
  auto made = [&]() -> pkcs11::Result<void> {
    PKCS11_TRY_ASSIGN(const pkcs11::SlotId slot, pkcs11::find_uninitialized_slot(*module));
    PKCS11_TRY(pkcs11::provision_token(*module, slot, request.label,
                                       pkcs11::SecretBytes(request.so_pin.view()),
                                       pkcs11::SecretBytes(request.pin.view())));
    return {};
  }();
  PKCS11_TRY(module->finalize());
  return made;
}

}  // namespace

Result<std::vector<std::string>> prepare_softhsm(const SoftHsmRequest& request) {
  const fs::path folder = request.folder;
  const fs::path tokens = folder / kTokens;
  const fs::path configuration = folder / kConfiguration;
  const fs::path made = folder / kMade;
  if (!folder.is_absolute()) return internal("preparing SoftHSM: the folder's path is relative");
  TRY(make_folder(folder));

  FolderLock lock;
  TRY(lock.take(folder));
  std::error_code error;
  if (!fs::exists(made, error)) {
    fs::remove_all(tokens, error);
    if (error) return failed(tokens, error);
  }
  TRY(make_folder(tokens));
  TRY(write_durably(configuration, "directories.tokendir = " + tokens.string() +
                                       "\nobjectstore.backend = file\nlog.level = ERROR\n"
                                       "slots.removable = false\n"));
  if (::setenv("SOFTHSM2_CONF", configuration.c_str(), 1) != 0) {
    return internal("preparing SoftHSM: SOFTHSM2_CONF could not be set");
  }
  if (!fs::exists(made, error)) {
    const auto token = make_token(request);
    if (!token) return to_error(token.error(), "preparing SoftHSM");
    TRY(StorageFolders({tokens.string()}, TokenObjectCopy::kNone).sync_changes_since({}));
    TRY(write_durably(made, "This folder's token is in use. Without this file it is made anew.\n"));
  }
  auto overrides = softhsm_overrides(request.folder, request.label);
  overrides.push_back("module.path=" + request.module);
  return overrides;
}

std::vector<std::string> softhsm_overrides(const std::string& folder, std::string_view label) {
  const fs::path path = folder;
  return {"module.env.SOFTHSM2_CONF=" + (path / kConfiguration).string(),
          "token.label=" + std::string(label),
          "storage.sync_folders=[\"" + (path / kTokens).string() + "\"]"};
}

SoftHsmToken softhsm_token(const std::string& folder) {
  std::error_code error;
  return fs::exists(fs::path(folder) / kMade, error) ? SoftHsmToken::kMade : SoftHsmToken::kNone;
}

fs::path softhsm_folder_of(const fs::path& configuration) {
  const fs::path folder = configuration.parent_path();
  if (configuration.filename() != kConfiguration) return {};
  return softhsm_token(folder.string()) == SoftHsmToken::kMade ? folder : fs::path();
}

}  // namespace keyhold::token

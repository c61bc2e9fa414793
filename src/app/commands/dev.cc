#include "app/commands/dev.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <optional>

#include "app/commands/command_error.h"
#include "app/config.h"
#include "app/credential_store.h"
#include "app/data_folder.h"
#include "app/dev_profile.h"
#include "app/running_service.h"
#include "app/service_loop.h"
#include "app/supervisor.h"
#include "app/tls_files.h"
#include "app/token_source.h"
#include "token/profile.h"
#include "token/softhsm.h"

namespace keyhold::app {
namespace {

constexpr std::string_view kTokenFolder = "token";
constexpr std::string_view kRegion = "us-east-1";

/// Keys lie in a file beside the service, so nobody else may reach it.
Result<void> set_listen_address(Config& config, const std::string& text) {
  const auto address = parse_listen_address(text);
  if (!address) {
    return Error(ErrorCode::kValidation, "--listen takes HOST:PORT, not '" + text + "'");
  }
  if (!is_loopback(*address)) {
    return Error(ErrorCode::kValidation,
                 "dev mode listens on loopback only, not on '" + address->host + "'");
  }
  config.listen = *address;
  return {};
}

/// The token's PIN, drawn at the first start.
Result<Secret> open_pin(const DataFolder& folder, Random& random) {
  const auto path = folder.file(kPinFile);
  if (std::filesystem::exists(path)) {
    TRY_ASSIGN(std::string text, read_file(path));
    while (!text.empty() && text.back() == '\n') text.pop_back();
    Secret pin{std::string_view(text)};
    wipe(text.data(), text.size());
    return pin;
  }
  Secret drawn(16);
  random.fill({drawn.data(), drawn.size()});
  std::string text = to_hex(drawn.view());
  Secret pin{std::string_view(text)};
  const auto written = write_private_file(path, text);
  wipe(text.data(), text.size());
  if (!written) return written.error();
  return pin;
}

/// The token in the data folder, made at the first start. The module that makes it is the one that
/// will be used, a fault module before SoftHSM included.
Result<token::Profile> prepare_token(const DataFolder& folder, const Config& config,
                                     const Secret& pin) {
  TRY_ASSIGN(const auto plain, token::parse_profile(kDevProfile, config.profile_overrides));
  token::SoftHsmRequest request;
  request.folder = folder.file(kTokenFolder).string();
  request.module = plain.module;
  request.label = kTokenLabel;
  request.so_pin = pin;  // dev mode's operator and user are one
  request.pin = pin;
  auto prepared = token::prepare_softhsm(request);
  if (!prepared) return unusable_token(prepared.error());
  auto overrides = std::move(*prepared);
  overrides.insert(overrides.end(), config.profile_overrides.begin(),
                   config.profile_overrides.end());
  return token::parse_profile(kDevProfile, overrides);
}

std::string credentials_file(const AccessKey& key) {
  return "[default]\naws_access_key_id = " + key.access_key_id +
         "\naws_secret_access_key = " + std::string(key.secret_access_key.text()) +
         "\nregion = " + std::string(kRegion) + "\n";
}

/// The access key that the environment brings, if it brings one.
Result<std::optional<AccessKey>> access_key_from_environment() {
  const char* id = std::getenv("AWS_ACCESS_KEY_ID");
  const char* secret = std::getenv("AWS_SECRET_ACCESS_KEY");
  if (id == nullptr || secret == nullptr || *id == '\0' || *secret == '\0') {
    return std::optional<AccessKey>();
  }
  const std::string_view text(id);
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  if (text.size() > 128 || !std::all_of(text.begin(), text.end(), allowed)) {
    return Error(ErrorCode::kValidation, "AWS_ACCESS_KEY_ID is not an access key id");
  }
  return std::optional<AccessKey>(AccessKey{std::string(text), Secret(std::string_view(secret))});
}

struct Access {
  AccessKey key;
  bool made = false;
};

Result<Access> open_access(const DataFolder& folder, const Config& config, Assembly& assembly) {
  CredentialStore& credentials = assembly.credentials();
  TRY_ASSIGN(auto given, access_key_from_environment());
  Access access;
  std::optional<IdentityChange> change;
  if (given) {
    TRY_ASSIGN(change, credentials.put(config.account, config.administrator, *given));
    access.key = std::move(*given);
  } else {
    TRY_ASSIGN(auto found, credentials.ensure(config.account, config.administrator));
    access.key = std::move(found.key);
    change = std::move(found.made);
    access.made = change.has_value();
  }
  if (change) {
    TRY(assembly.recorder().record_change("CreateAccessKey", Operator{::getuid()}, *change));
    TRY(change->in_effect);
  }
  std::string text = credentials_file(access.key);
  const auto written = write_private_file(folder.file(kCredentialsFile), text);
  wipe(text.data(), text.size());
  if (!written) return written.error();
  return access;
}

void print_exports(const Access& access, const std::string& url, const DataFolder& folder) {
  std::cout << "export AWS_ENDPOINT_URL_KMS=" << url << "\n"
            << "export AWS_REGION=" << kRegion << " AWS_DEFAULT_REGION=" << kRegion << "\n";
  if (access.made) {
    std::cout << "export AWS_ACCESS_KEY_ID=" << access.key.access_key_id << "\n"
              << "export AWS_SECRET_ACCESS_KEY=" << access.key.secret_access_key.text() << "\n";
  } else {
    std::cout << "export AWS_SHARED_CREDENTIALS_FILE=" << folder.file(kCredentialsFile).string()
              << "\n";
  }
}

Result<Config> read_settings(const DevOptions& options) {
  Config config;
  config.log_form = log::Form::kText;
  config.admin_listen.reset();
  for (const auto& setting : options.settings) {
    TRY(apply_setting(config, setting));
    const ConfigKey* key = find_config_key(setting.substr(0, setting.find('=')));
    if (key != nullptr && key->used_by == UsedBy::kServe) {
      return Error(ErrorCode::kValidation, "configuration key " + std::string(key->name) +
                                               ": is for `keyhold serve` alone");
    }
  }
  TRY(set_listen_address(config, options.listen));
  return config;
}

/// Whether the address can be listened on, asked before a token is made.
Result<void> check_address(const Config& config) {
  http::ServerOptions options = config.http;
  options.host = config.listen.host;
  options.port = config.listen.port;
  TRY(http::Server::start(
      options, [](http::Request&) { return Gateway::unavailable(ErrorCode::kKeyUnavailable); },
      Gateway::overload, Gateway::protocol_error));
  return {};
}

Result<void> serve(const DevOptions& options) {
  ServiceStart start;
  TRY_ASSIGN(start.config, read_settings(options));
  log::set_form(start.config.log_form);
  log::set_level(start.config.log_level);
  const Supervisor supervisor;
  hold_signals();

  TRY_ASSIGN(start.folder,
             options.data.empty() ? DataFolder::open_temporary() : DataFolder::open(options.data));
  const DataFolder& folder = *start.folder;
  start.config.data_folder = folder.path().string();
  TRY(check_address(start.config));
  SystemRandom random;
  TRY_ASSIGN(start.pin, open_pin(folder, random));
  TRY_ASSIGN(start.profile, prepare_token(folder, start.config, start.pin));
  start.when_absent = token::WhenAbsent::kRefuse;
  if (start.config.dev_tls == DevTls::kMadeCertificate) {
    TRY_ASSIGN(start.tls, made_tls_files(folder));
  }
  const std::string scheme = start.tls ? "https://" : "http://";
  TRY_ASSIGN(const auto service, RunningService::start(std::move(start)));
  TRY_ASSIGN(Assembly * assembly, service->wait_until_assembled());
  const Config& config = service->config();
  TRY_ASSIGN(const auto access, open_access(folder, config, *assembly));

  const std::string& host = config.listen.host;
  const std::string url = scheme + (host.find(':') == std::string::npos ? host : "[" + host + "]") +
                          ":" + std::to_string(service->port());
  print_exports(access, url, folder);
  if (config.dev_tls == DevTls::kMadeCertificate) {
    std::cout << "export AWS_CA_BUNDLE=" << folder.file(kMadeCertificateFile).string() << "\n";
  }
  std::cout << "keyhold: ready at " << url << ", data in " << folder.path().string() << std::endl;
  TRY(run_service(*service, supervisor, [&] {
    const auto reloaded = assembly->principals().load();
    if (!reloaded) log::error("principals stay as they were: " + reloaded.error().message());
  }));
  return {};
}

}  // namespace

int run_dev(const DevOptions& options) {
  const auto served = serve(options);
  return served ? 0 : report_error(served.error());
}

}  // namespace keyhold::app

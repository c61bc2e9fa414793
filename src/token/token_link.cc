#include "token/token_link.h"

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <string>
#include <thread>

#include "base/log.h"
#include "token/softhsm.h"
#include "token/storage_folders.h"
#include "token/token.h"

namespace keyhold::token {
namespace {

// A token that another process is logging in to does not answer for a moment (SoftHSM rewrites its
// file of PINs then).
constexpr int kLooks = 5;
constexpr auto kBetweenLooks = std::chrono::milliseconds(20);
constexpr const char* kSoftHsmConfiguration = "SOFTHSM2_CONF";

StorageFolders folders(const Profile& profile) {
  return StorageFolders(profile.sync_folders, profile.token_object_copy);
}

/// The PIN as the token wants it.
Secret formatted(std::string_view format, const Secret& pin) {
  const auto place = format.find(kPinPlace);
  const std::string_view before = format.substr(0, place);
  const std::string_view after = format.substr(place + kPinPlace.size());
  Secret whole(before.size() + pin.view().size() + after.size());
  std::uint8_t* at = std::ranges::copy(as_bytes(before), whole.data()).out;
  at = std::ranges::copy(pin.view(), at).out;
  std::ranges::copy(as_bytes(after), at);
  return whole;
}

/// CKR_USER_NOT_LOGGED_IN if that is so; the next loan of a session logs in again then.
pkcs11::Result<void> see_login(pkcs11::Session& session) {
  PKCS11_TRY_ASSIGN(const CK_SESSION_INFO info, session.info());
  if (info.state == CKS_RO_USER_FUNCTIONS || info.state == CKS_RW_USER_FUNCTIONS) return {};
  session.suspect_login();
  return pkcs11::Error(CKR_USER_NOT_LOGGED_IN, "C_GetSessionInfo");
}

}  // namespace

Result<std::unique_ptr<TokenLink>> TokenLink::open(const Profile& profile, Secret pin) {
  for (const auto& [name, value] : profile.module_env) {
    const int failed =
        value.empty() ? ::unsetenv(name.c_str()) : ::setenv(name.c_str(), value.c_str(), 1);
    if (failed != 0) return Error(ErrorCode::kValidation, "profile: module.env: " + name);
  }
  Secret whole =
      profile.pin_format == kPinPlace ? std::move(pin) : formatted(profile.pin_format, pin);
  std::unique_ptr<TokenLink> link(new TokenLink(profile, std::move(whole)));
  if (const char* configuration = std::getenv(kSoftHsmConfiguration)) {
    link->softhsm_configuration_ = configuration;
  }
  pkcs11::ModuleOptions options;
  options.path = profile.module;
  options.locking = profile.init_locking == InitLocking::kOperatingSystem
                        ? pkcs11::Locking::kOperatingSystem
                        : pkcs11::Locking::kAsItLikes;
  if (!profile.init_reserved.empty()) options.init_reserved = profile.init_reserved;
  auto module = pkcs11::Module::open(options);
  if (!module) return to_error(module.error(), "loading " + profile.module);
  link->module_ = std::move(*module);

  pkcs11::PoolOptions pool;
  pool.max_sessions = profile.max_sessions - 2;  // the parked one and the owner of session objects
  pool.wait = profile.call_timeout;
  pool.open_interval = profile.open_interval;
  pool.pin = [link = link.get()]() -> pkcs11::Result<pkcs11::SecretBytes> {
    return pkcs11::SecretBytes(link->pin_.view());
  };
  // The slot is known once the token is found.
  link->pool_ = std::make_unique<pkcs11::SessionPool>(*link->module_, 0, std::move(pool));
  link->objects_ = std::make_shared<SessionObjects>(link->module_, *link->pool_);
  return link;
}

TokenLink::~TokenLink() {
  if (objects_ != nullptr) objects_->close();
  pool_.reset();
  if (module_ == nullptr) return;
  const auto finalized = module_->finalize();
  if (!finalized) log::warning("token: " + finalized.error().text());
}

pkcs11::TokenInfo TokenLink::info() const {
  std::lock_guard lock(info_mutex_);
  return info_;
}

Result<pkcs11::TokenInfo> TokenLink::find() {
  const pkcs11::TokenInfo before = info();
  pkcs11::TokenSelector selector;
  if (!profile_.token_label.empty()) selector.label = profile_.token_label;
  if (!profile_.token_serial.empty()) selector.serial = profile_.token_serial;
  // Slots are renumbered; another token that has taken the label does not hold the keys.
  if (!before.serial.empty()) selector.serial = before.serial;
  auto found = pkcs11::find_token(*module_, selector);
  for (int look = 1; look < kLooks && !found && found.error().rv() != CKR_ARGUMENTS_BAD; ++look) {
    std::this_thread::sleep_for(kBetweenLooks);
    found = pkcs11::find_token(*module_, selector);
  }
  if (found) return *found;
  if (found.error().rv() == CKR_ARGUMENTS_BAD) may_pass_ = false;
  return unavailable("finding the token: " + found.error().text());
}

Result<void> TokenLink::log_in() {
  const auto lease = pool_->lease();
  if (!lease) {
    if (lease.error().pin_refused()) {
      pin_refused_ = true;
      return unavailable(
          "the token refuses the PIN, which is not tried again (a few wrong ones "
          "lock a token: be sure of it before the next start): " +
          lease.error().text());
    }
    return to_error(lease.error(), "logging in");
  }
  return folders(profile_).keep_token_objects();
}

bool TokenLink::pin_refused() const { return pin_refused_; }

pkcs11::Result<Bytes> TokenLink::encrypt_under(const pkcs11::Mechanism& mechanism,
                                               pkcs11::ObjectHandle key, ByteView plaintext) {
  return on_session([&](pkcs11::Session& session) {
    return pkcs11::encrypt(session, mechanism, key, plaintext);
  });
}

pkcs11::Result<Bytes> TokenLink::encrypt(pkcs11::ObjectHandle key, std::span<std::uint8_t> iv,
                                         ByteView aad, ByteView plaintext) {
  // A token that does not keep to what its profile says of it would leave a ciphertext that nobody
  // can decrypt.
  const auto broken = [](const char* what) {
    return pkcs11::Error(CKR_MECHANISM_PARAM_INVALID, "C_Encrypt", what);
  };
  switch (profile_.gcm_iv) {
    case GcmIv::kFromCaller: {
      PKCS11_TRY_ASSIGN(const pkcs11::Mechanism mechanism, pkcs11::Mechanism::gcm(iv, aad));
      auto ciphertext = encrypt_under(mechanism, key, plaintext);
      if (ciphertext && !std::ranges::equal(mechanism.iv(), iv)) {
        return broken("the token changed the IV");
      }
      return ciphertext;
    }
    case GcmIv::kInBuffer: {
      const Bytes zeros(iv.size());
      PKCS11_TRY_ASSIGN(const pkcs11::Mechanism mechanism, pkcs11::Mechanism::gcm(zeros, aad));
      auto ciphertext = encrypt_under(mechanism, key, plaintext);
      if (ciphertext && std::ranges::equal(mechanism.iv(), zeros)) {
        return broken("the token made no IV");
      }
      std::ranges::copy(mechanism.iv(), iv.begin());
      return ciphertext;
    }
    case GcmIv::kBehindMessage:
      break;
  }
  PKCS11_TRY_ASSIGN(const pkcs11::Mechanism mechanism,
                    pkcs11::Mechanism::gcm_with_iv_behind(iv.size(), aad));
  PKCS11_TRY_ASSIGN(Bytes ciphertext, encrypt_under(mechanism, key, plaintext));
  if (ciphertext.size() != plaintext.size() + kGcmTagSize + iv.size()) {
    return broken("the token put no IV behind the message");
  }
  std::copy(ciphertext.end() - static_cast<std::ptrdiff_t>(iv.size()), ciphertext.end(),
            iv.begin());
  ciphertext.resize(ciphertext.size() - iv.size());
  return ciphertext;
}

pkcs11::Result<Secret> TokenLink::decrypt(pkcs11::ObjectHandle key, ByteView iv, ByteView aad,
                                          ByteView ciphertext_and_tag) {
  PKCS11_TRY_ASSIGN(const pkcs11::Mechanism mechanism, pkcs11::Mechanism::gcm(iv, aad));
  Secret plaintext(ciphertext_and_tag.size());
  PKCS11_TRY_ASSIGN(const std::size_t size, on_session([&](pkcs11::Session& session) {
                      return pkcs11::decrypt_into(session, mechanism, key, ciphertext_and_tag,
                                                  {plaintext.data(), plaintext.size()});
                    }));
  plaintext.resize(size);
  return plaintext;
}

bool TokenLink::says_bad_ciphertext(const pkcs11::Error& error) const {
  const auto& codes = profile_.decrypt_bad_codes;
  return error.function() == "C_Decrypt" && std::ranges::find(codes, error.rv()) != codes.end();
}

bool TokenLink::says_bad_wrapped_key(const pkcs11::Error& error) const {
  if (means_bad_wrapped_key(error)) return true;
  const auto& codes = profile_.unwrap_bad_codes;
  return error.function() == "C_UnwrapKey" && std::ranges::find(codes, error.rv()) != codes.end();
}

bool TokenLink::says_bad_key(const pkcs11::Error& error) const {
  if (says_gone(error)) return false;
  if (!error.token_gone()) return true;
  const auto& codes = profile_.unwrap_bad_codes;
  return std::ranges::find(codes, error.rv()) != codes.end();
}

bool TokenLink::says_gone(const pkcs11::Error& error) const {
  return std::ranges::find(profile_.reinit_on, error.rv()) != profile_.reinit_on.end();
}

pkcs11::Result<Bytes> TokenLink::cmac(pkcs11::ObjectHandle key, ByteView message) {
  const auto mechanism = pkcs11::Mechanism::plain(CKM_AES_CMAC);
  return on_session(
      [&](pkcs11::Session& session) { return pkcs11::sign(session, mechanism, key, message); });
}

pkcs11::Result<void> TokenLink::random(std::span<std::uint8_t> out) {
  return on_session([&](pkcs11::Session& session) { return pkcs11::random(session, out); });
}

pkcs11::Result<std::vector<pkcs11::TokenInfo>> TokenLink::list_tokens() {
  PKCS11_TRY(module_->start());
  PKCS11_TRY_ASSIGN(pkcs11::TokenList list, pkcs11::list_tokens(*module_));
  std::erase_if(list.tokens, [](const auto& token) { return !token.initialized(); });
  return std::move(list.tokens);
}

pkcs11::Result<void> TokenLink::look() {
  const pkcs11::SlotId slot = info().slot;
  auto seen = pkcs11::token_info(*module_, slot);
  for (int look = 1; look < kLooks && !seen; ++look) {
    std::this_thread::sleep_for(kBetweenLooks);
    seen = pkcs11::token_info(*module_, slot);
  }
  if (!seen) return seen.error();
  return expect_login();
}

pkcs11::Result<void> TokenLink::expect_login() { return on_session(see_login); }

pkcs11::Result<std::vector<pkcs11::ObjectHandle>> TokenLink::find_objects(
    const pkcs11::Attributes& attributes) {
  using Found = pkcs11::Result<std::vector<pkcs11::ObjectHandle>>;
  return on_session([&](pkcs11::Session& session) -> Found {
    PKCS11_TRY_ASSIGN(auto found, pkcs11::find_objects(session, attributes));
    PKCS11_TRY(see_login(session));
    return found;
  });
}

Result<void> TokenLink::take_folder() {
  const auto folder = softhsm_folder_of(softhsm_configuration_);
  if (folder.empty()) return {};
  return lock_.take(folder);
}

Result<void> TokenLink::restart() {
  auto suspension = pool_->suspend(profile_.call_timeout);
  if (!suspension) return to_error(suspension.error(), "waiting for sessions");
  may_pass_ = true;
  objects_->end();
  TRY(take_folder());
  const auto restored = folders(profile_).restore_token_objects();
  if (!restored) return unavailable(restored.error().detail());
  const auto started = module_->start();
  if (!started) {
    // Arguments that it does not take, it will not take later.
    if (started.error().rv() == CKR_ARGUMENTS_BAD) may_pass_ = false;
    return unavailable(started.error().text());
  }
  TRY_ASSIGN(const pkcs11::TokenInfo found, find());
  TRY(take_folder());  // which may have come back in between
  {
    std::lock_guard lock(info_mutex_);
    info_ = found;
  }
  pool_->move_to_slot(found.slot);
  { const auto ended = std::move(*suspension); }
  return log_in();
}

}  // namespace keyhold::token

// One token reached through one module: its sessions, its session objects, and the calls made on
// them. Knows no materials and decides nothing about recovery.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <utility>

#include "base/bytes.h"
#include "base/secret.h"
#include "pkcs11/crypto.h"
#include "pkcs11/object.h"
#include "pkcs11/session_pool.h"
#include "pkcs11/slot.h"
#include "token/folder_lock.h"
#include "token/profile.h"
#include "token/session_objects.h"
#include "token/token_error.h"

namespace keyhold::token {

/// All functions but suspend-and-restart are for threads inside a call of the CallGate.
class TokenLink {
 public:
  /// Loads the module, and calls nothing of it: restart() does.
  static Result<std::unique_ptr<TokenLink>> open(const Profile& profile, Secret pin);
  ~TokenLink();
  TokenLink(const TokenLink&) = delete;
  TokenLink& operator=(const TokenLink&) = delete;

  const Profile& profile() const { return profile_; }
  const pkcs11::Module& module() const { return *module_; }
  SessionObjects& objects() { return *objects_; }
  pkcs11::TokenInfo info() const;
  /// Sessions that are open now, the parked one and the owner of session objects included.
  std::size_t open_sessions() const { return pool_->open_sessions() + 2; }

  /// Runs `use(session)` on a session of this thread's, and again when that had been lost before
  /// the call had effect: on one that is opened for it, or with a new login. What answers the same
  /// then is no session left over from before. For calls that may be repeated.
  template <typename Use>
  auto on_session(Use use) -> decltype(use(std::declval<pkcs11::Session&>())) {
    using Opened = pkcs11::SessionLease::Opened;
    int logins_lost = 0;
    for (std::size_t tries = 1;; ++tries) {
      auto opened = Opened::kBefore;
      auto answer = attempt(use, opened);
      if (answer || !lost_before_effect(answer.error())) return answer;
      // A session of before is closed then; where all were lost, the login is found lost after
      // that.
      const bool for_good = answer.error().login_lost()
                                ? ++logins_lost == 2
                                : tries > 1 && opened == Opened::kForThisLoan;
      if (for_good || tries > profile_.max_sessions) return answer;
    }
  }

  /// Without the second time, for calls that change the token. Instead it is seen to before that
  /// the login is there.
  template <typename Use>
  auto once(Use use) -> decltype(use(std::declval<pkcs11::Session&>())) {
    PKCS11_TRY(expect_login());
    auto opened = pkcs11::SessionLease::Opened::kBefore;
    return attempt(use, opened);
  }

  /// The objects that match, of a token that is logged in to: one that is not seems to have lost
  /// all that are private.
  pkcs11::Result<std::vector<pkcs11::ObjectHandle>> find_objects(
      const pkcs11::Attributes& attributes);

  /// How many bytes an IV has.
  std::size_t iv_size() const { return iv_size_of(profile_.gcm_iv); }
  /// AES-256-GCM; ciphertext and tag. `iv` (iv_size() bytes) is what to encrypt under; where the
  /// token makes its own, that one stands there afterwards.
  pkcs11::Result<Bytes> encrypt(pkcs11::ObjectHandle key, std::span<std::uint8_t> iv, ByteView aad,
                                ByteView plaintext);
  pkcs11::Result<Secret> decrypt(pkcs11::ObjectHandle key, ByteView iv, ByteView aad,
                                 ByteView ciphertext_and_tag);
  /// Whether that is how this token answers a ciphertext that is not what it should be.
  bool says_bad_ciphertext(const pkcs11::Error& error) const;
  /// Whether that is how it answers a wrapped key that is none.
  bool says_bad_wrapped_key(const pkcs11::Error& error) const;
  /// Whether it may be a key from outside, and no trouble of the token's, that made a use of it
  /// fail: a code that tells of a lost token does so where the profile knows it of wrapped keys.
  bool says_bad_key(const pkcs11::Error& error) const;
  /// Whether this token means by that that it is gone, whatever others mean.
  bool says_gone(const pkcs11::Error& error) const;

  pkcs11::Result<Bytes> cmac(pkcs11::ObjectHandle key, ByteView message);
  pkcs11::Result<void> random(std::span<std::uint8_t> out);

  /// Starts the module and says which tokens it has, without a login. Instead of restart().
  pkcs11::Result<std::vector<pkcs11::TokenInfo>> list_tokens();

  /// Whether the token is there, and this process logged in to it: uses no key, and costs no login
  /// but one where it finds the login lost.
  pkcs11::Result<void> look();

  /// Whether an object's handle belongs to this generation.
  bool current(pkcs11::ObjectHandle object) const { return !pkcs11::is_stale(*module_, object); }

  /// C_Finalize if need be, C_Initialize, the token looked up by label and serial wherever it is
  /// now, login. Nobody may be inside a call. A PIN that was refused is not tried again, and
  /// another token than the first is not taken for it. kValidation if another process has the token
  /// of a SoftHSM folder that Keyhold made.
  Result<void> restart();

  bool pin_refused() const;
  /// Whether what the last restart() failed at may pass by itself: a token that is away, but not
  /// one that is described wrongly.
  bool may_pass() const { return may_pass_; }

 private:
  template <typename Use>
  auto attempt(Use use, pkcs11::SessionLease::Opened& opened)
      -> decltype(use(std::declval<pkcs11::Session&>())) {
    auto lease = pool_->lease();
    opened = lease ? lease->opened() : pkcs11::SessionLease::Opened::kForThisLoan;
    if (!lease) return lease.error();
    return use(**lease);
  }

  /// Logs in again if the login was lost.
  pkcs11::Result<void> expect_login();
  Result<void> take_folder();
  pkcs11::Result<Bytes> encrypt_under(const pkcs11::Mechanism& mechanism, pkcs11::ObjectHandle key,
                                      ByteView plaintext);
  TokenLink(const Profile& profile, Secret pin) : profile_(profile), pin_(std::move(pin)) {}
  Result<pkcs11::TokenInfo> find();
  Result<void> log_in();

  const Profile profile_;
  const Secret pin_;
  std::string softhsm_configuration_;
  FolderLock lock_;  ///< longer than the module
  std::shared_ptr<pkcs11::Module> module_;
  pkcs11::TokenInfo info_{};
  mutable std::mutex info_mutex_;
  std::unique_ptr<pkcs11::SessionPool> pool_;
  std::shared_ptr<SessionObjects> objects_;
  std::atomic<bool> pin_refused_{false};
  std::atomic<bool> may_pass_{true};
};

}  // namespace keyhold::token

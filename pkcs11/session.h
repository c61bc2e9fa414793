// One Cryptoki session.
#pragma once

#include <cstdint>
#include <type_traits>
#include <utility>

#include "pkcs11/call_counts.h"
#include "pkcs11/inside_module.h"
#include "pkcs11/module.h"
#include "pkcs11/secret.h"

namespace keyhold::pkcs11 {

enum class Access : std::uint8_t { kReadOnly, kReadWrite };

/// Owns one C_OpenSession handle and closes it exactly once; without a call when the module has
/// been finalised since. Cryptoki allows a session one active operation and one caller at a time,
/// so a Session belongs to one thread at a time. Login is a property of the token, not of a
/// session. Must not outlive its Module.
class Session {
 public:
  static Result<Session> open(const Module& module, SlotId slot, Access access);

  Session(Session&& other) noexcept
      : module_(other.module_),
        handle_(std::exchange(other.handle_, CK_INVALID_HANDLE)),
        generation_(other.generation_),
        broken_(other.broken_),
        login_suspect_(other.login_suspect_) {}
  Session& operator=(Session&&) = delete;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  /// Calls `function` with this session's handle in front of `args`. An answer after which an
  /// operation may be active, or the session or its token gone, marks the session broken. A session
  /// of an older generation of the module answers CKR_SESSION_HANDLE_INVALID without a call.
  template <typename... Args>
  Result<void> call(const char* name,
                    CK_RV (*CK_FUNCTION_LIST::*function)(CK_SESSION_HANDLE, Args...),
                    std::type_identity_t<Args>... args) {
    if (stale()) return note(CKR_SESSION_HANDLE_INVALID, name, "of an older module generation");
    const auto entry = module_->functions().*function;
    if (entry == nullptr) return note(CKR_FUNCTION_NOT_SUPPORTED, name);
    [[maybe_unused]] const InsideModule inside;
    const CK_RV rv = entry(handle_, args...);
    count_call(name, rv);
    if (rv == CKR_OK) [[likely]]
      return {};
    return note(rv, name);
  }

  /// Logs the user (or the security officer) in, for the whole token. CKR_USER_ALREADY_LOGGED_IN is
  /// handed on as the error it is: SessionPool takes it for success.
  Result<void> login(CK_USER_TYPE user, const SecretBytes& pin);
  Result<void> logout();
  Result<CK_SESSION_INFO> info();

  /// Never to be used again: close it.
  bool broken() const { return broken_; }
  void mark_broken() { broken_ = true; }

  /// The module was finalised since this session was opened.
  bool stale() const { return generation_ != module_->generation(); }

  /// An answer seen on this session can mean that the token has lost the login.
  bool login_suspect() const { return login_suspect_; }
  void suspect_login() { login_suspect_ = true; }
  void clear_login_suspect() { login_suspect_ = false; }

  const Module& module() const { return *module_; }
  CK_SESSION_HANDLE handle() const { return handle_; }

 private:
  Session(const Module& module, CK_SESSION_HANDLE handle, std::uint64_t generation)
      : module_(&module), handle_(handle), generation_(generation) {}

  Error note(CK_RV rv, const char* function, const char* detail = "");

  const Module* module_;
  CK_SESSION_HANDLE handle_;
  std::uint64_t generation_;
  bool broken_ = false;
  bool login_suspect_ = false;
};

}  // namespace keyhold::pkcs11

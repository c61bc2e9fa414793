#include "pkcs11/session.h"

namespace keyhold::pkcs11 {

Result<Session> Session::open(const Module& module, SlotId slot, Access access) {
  // The older of two generations, if the module is re-initialised meanwhile: the session is then
  // stale from the start, rather than taken for a new one.
  const std::uint64_t generation = module.generation();
  const CK_FLAGS flags =
      CKF_SERIAL_SESSION | (access == Access::kReadWrite ? CK_FLAGS{CKF_RW_SESSION} : 0);
  CK_SESSION_HANDLE handle = CK_INVALID_HANDLE;
  PKCS11_TRY(module.call("C_OpenSession", &CK_FUNCTION_LIST::C_OpenSession, slot, flags, nullptr,
                         nullptr, &handle));
  return Session(module, handle, generation);
}

Session::~Session() {
  if (handle_ == CK_INVALID_HANDLE || stale()) return;
  (void)module_->call("C_CloseSession", &CK_FUNCTION_LIST::C_CloseSession, handle_);
}

Result<void> Session::login(CK_USER_TYPE user, const SecretBytes& pin) {
  return call("C_Login", &CK_FUNCTION_LIST::C_Login, user, input(pin.view()), length(pin.view()));
}

Result<void> Session::logout() { return call("C_Logout", &CK_FUNCTION_LIST::C_Logout); }

Result<CK_SESSION_INFO> Session::info() {
  CK_SESSION_INFO info{};
  PKCS11_TRY(call("C_GetSessionInfo", &CK_FUNCTION_LIST::C_GetSessionInfo, &info));
  return info;
}

Error Session::note(CK_RV rv, const char* function, const char* detail) {
  Error error(rv, function, detail);
  if (error.poisons_session()) broken_ = true;
  // A logged-out token may deny the login, or the existence of its private objects.
  if (error.login_lost() || error.handle_stale()) login_suspect_ = true;
  return error;
}

}  // namespace keyhold::pkcs11

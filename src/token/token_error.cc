#include "token/token_error.h"

#include <string>

namespace keyhold::token {

// The messages are those of the KMS API reference, in the present tense of its exceptions.
Error unavailable(std::string_view detail) {
  return Error(ErrorCode::kKeyUnavailable,
               "The request was rejected because the specified KMS key was not available. You can "
               "retry the request.",
               std::string(detail));
}

Error internal(std::string_view detail) {
  return Error(ErrorCode::kKmsInternal,
               "The request was rejected because an internal exception occurred. The request can "
               "be retried.",
               std::string(detail));
}

Error timed_out(std::string_view detail) {
  return Error(ErrorCode::kDependencyTimeout,
               "The system timed out while trying to fulfill the request. You can retry the "
               "request.",
               std::string(detail));
}

Error invalid_ciphertext(std::string_view detail) {
  return Error(ErrorCode::kInvalidCiphertext, {}, std::string(detail));
}

Error to_error(const pkcs11::Error& error, std::string_view what) {
  const std::string detail = std::string(what) + ": " + error.text();
  if (error.sessions_exhausted()) return timed_out(detail);
  switch (error.fate()) {
    case pkcs11::Fate::kModuleGone:
    case pkcs11::Fate::kLoginLost:
    case pkcs11::Fate::kSessionBroken:
      return unavailable(detail);
    case pkcs11::Fate::kCaller:
    case pkcs11::Fate::kKeeps:
      break;
  }
  if (error.pin_refused() || error.handle_stale() || error.rv() == CKR_FUNCTION_CANCELED) {
    return unavailable(detail);
  }
  return internal(detail);
}

bool lost_before_effect(const pkcs11::Error& error) {
  return error.rv() == CKR_SESSION_HANDLE_INVALID || error.rv() == CKR_SESSION_CLOSED ||
         error.rv() == CKR_OPERATION_ACTIVE || error.login_lost();
}

bool is_gone(const pkcs11::Error& error) { return error.token_gone() || error.login_lost(); }

bool means_bad_wrapped_key(const pkcs11::Error& error) {
  if (error.function() != "C_UnwrapKey") return false;
  switch (error.rv()) {
    case CKR_WRAPPED_KEY_INVALID:
    case CKR_WRAPPED_KEY_LEN_RANGE:
    case CKR_ENCRYPTED_DATA_INVALID:
    case CKR_ENCRYPTED_DATA_LEN_RANGE:
    case CKR_ARGUMENTS_BAD:  // NSS, of a number that is not below the modulus
      return true;
    default:
      return error.ambiguous();
  }
}

}  // namespace keyhold::token

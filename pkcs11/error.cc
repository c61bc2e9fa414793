#include "pkcs11/error.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "pkcs11/result.h"

namespace keyhold::pkcs11 {
namespace {

constexpr auto kRows = std::to_array<RvRow>({
    {CKR_OK, "CKR_OK", Fate::kKeeps},
    {CKR_CANCEL, "CKR_CANCEL", Fate::kSessionBroken},
    {CKR_HOST_MEMORY, "CKR_HOST_MEMORY", Fate::kSessionBroken},
    {CKR_SLOT_ID_INVALID, "CKR_SLOT_ID_INVALID", Fate::kModuleGone},
    {CKR_GENERAL_ERROR, "CKR_GENERAL_ERROR", Fate::kSessionBroken},
    {CKR_FUNCTION_FAILED, "CKR_FUNCTION_FAILED", Fate::kSessionBroken},
    {CKR_ARGUMENTS_BAD, "CKR_ARGUMENTS_BAD", Fate::kSessionBroken},
    {CKR_NO_EVENT, "CKR_NO_EVENT", Fate::kKeeps},
    {CKR_NEED_TO_CREATE_THREADS, "CKR_NEED_TO_CREATE_THREADS", Fate::kKeeps},
    {CKR_CANT_LOCK, "CKR_CANT_LOCK", Fate::kKeeps},
    {CKR_ATTRIBUTE_READ_ONLY, "CKR_ATTRIBUTE_READ_ONLY", Fate::kCaller},
    {CKR_ATTRIBUTE_SENSITIVE, "CKR_ATTRIBUTE_SENSITIVE", Fate::kCaller},
    {CKR_ATTRIBUTE_TYPE_INVALID, "CKR_ATTRIBUTE_TYPE_INVALID", Fate::kCaller},
    {CKR_ATTRIBUTE_VALUE_INVALID, "CKR_ATTRIBUTE_VALUE_INVALID", Fate::kCaller},
    {CKR_ACTION_PROHIBITED, "CKR_ACTION_PROHIBITED", Fate::kCaller},
    {CKR_DATA_INVALID, "CKR_DATA_INVALID", Fate::kCaller},
    {CKR_DATA_LEN_RANGE, "CKR_DATA_LEN_RANGE", Fate::kCaller},
    {CKR_DEVICE_ERROR, "CKR_DEVICE_ERROR", Fate::kModuleGone},
    {CKR_DEVICE_MEMORY, "CKR_DEVICE_MEMORY", Fate::kSessionBroken},
    {CKR_DEVICE_REMOVED, "CKR_DEVICE_REMOVED", Fate::kModuleGone},
    {CKR_ENCRYPTED_DATA_INVALID, "CKR_ENCRYPTED_DATA_INVALID", Fate::kCaller},
    {CKR_ENCRYPTED_DATA_LEN_RANGE, "CKR_ENCRYPTED_DATA_LEN_RANGE", Fate::kCaller},
    {CKR_FUNCTION_CANCELED, "CKR_FUNCTION_CANCELED", Fate::kSessionBroken},
    {CKR_FUNCTION_NOT_PARALLEL, "CKR_FUNCTION_NOT_PARALLEL", Fate::kKeeps},
    {CKR_FUNCTION_NOT_SUPPORTED, "CKR_FUNCTION_NOT_SUPPORTED", Fate::kKeeps},
    {CKR_KEY_HANDLE_INVALID, "CKR_KEY_HANDLE_INVALID", Fate::kKeeps},
    {CKR_KEY_SIZE_RANGE, "CKR_KEY_SIZE_RANGE", Fate::kCaller},
    {CKR_KEY_TYPE_INCONSISTENT, "CKR_KEY_TYPE_INCONSISTENT", Fate::kCaller},
    {CKR_KEY_NOT_NEEDED, "CKR_KEY_NOT_NEEDED", Fate::kCaller},
    {CKR_KEY_CHANGED, "CKR_KEY_CHANGED", Fate::kCaller},
    {CKR_KEY_NEEDED, "CKR_KEY_NEEDED", Fate::kCaller},
    {CKR_KEY_INDIGESTIBLE, "CKR_KEY_INDIGESTIBLE", Fate::kCaller},
    {CKR_KEY_FUNCTION_NOT_PERMITTED, "CKR_KEY_FUNCTION_NOT_PERMITTED", Fate::kCaller},
    {CKR_KEY_NOT_WRAPPABLE, "CKR_KEY_NOT_WRAPPABLE", Fate::kCaller},
    {CKR_KEY_UNEXTRACTABLE, "CKR_KEY_UNEXTRACTABLE", Fate::kCaller},
    {CKR_MECHANISM_INVALID, "CKR_MECHANISM_INVALID", Fate::kCaller},
    {CKR_MECHANISM_PARAM_INVALID, "CKR_MECHANISM_PARAM_INVALID", Fate::kCaller},
    {CKR_OBJECT_HANDLE_INVALID, "CKR_OBJECT_HANDLE_INVALID", Fate::kKeeps},
    {CKR_OPERATION_ACTIVE, "CKR_OPERATION_ACTIVE", Fate::kSessionBroken},
    {CKR_OPERATION_NOT_INITIALIZED, "CKR_OPERATION_NOT_INITIALIZED", Fate::kSessionBroken},
    {CKR_PIN_INCORRECT, "CKR_PIN_INCORRECT", Fate::kCaller},
    {CKR_PIN_INVALID, "CKR_PIN_INVALID", Fate::kCaller},
    {CKR_PIN_LEN_RANGE, "CKR_PIN_LEN_RANGE", Fate::kCaller},
    {CKR_PIN_EXPIRED, "CKR_PIN_EXPIRED", Fate::kCaller},
    {CKR_PIN_LOCKED, "CKR_PIN_LOCKED", Fate::kCaller},
    {CKR_SESSION_CLOSED, "CKR_SESSION_CLOSED", Fate::kSessionBroken},
    {CKR_SESSION_COUNT, "CKR_SESSION_COUNT", Fate::kKeeps},
    {CKR_SESSION_HANDLE_INVALID, "CKR_SESSION_HANDLE_INVALID", Fate::kSessionBroken},
    {CKR_SESSION_PARALLEL_NOT_SUPPORTED, "CKR_SESSION_PARALLEL_NOT_SUPPORTED", Fate::kKeeps},
    {CKR_SESSION_READ_ONLY, "CKR_SESSION_READ_ONLY", Fate::kCaller},
    {CKR_SESSION_EXISTS, "CKR_SESSION_EXISTS", Fate::kCaller},
    {CKR_SESSION_READ_ONLY_EXISTS, "CKR_SESSION_READ_ONLY_EXISTS", Fate::kCaller},
    {CKR_SESSION_READ_WRITE_SO_EXISTS, "CKR_SESSION_READ_WRITE_SO_EXISTS", Fate::kCaller},
    {CKR_SIGNATURE_INVALID, "CKR_SIGNATURE_INVALID", Fate::kCaller},
    {CKR_SIGNATURE_LEN_RANGE, "CKR_SIGNATURE_LEN_RANGE", Fate::kCaller},
    {CKR_TEMPLATE_INCOMPLETE, "CKR_TEMPLATE_INCOMPLETE", Fate::kCaller},
    {CKR_TEMPLATE_INCONSISTENT, "CKR_TEMPLATE_INCONSISTENT", Fate::kCaller},
    {CKR_TOKEN_NOT_PRESENT, "CKR_TOKEN_NOT_PRESENT", Fate::kModuleGone},
    {CKR_TOKEN_NOT_RECOGNIZED, "CKR_TOKEN_NOT_RECOGNIZED", Fate::kModuleGone},
    {CKR_TOKEN_WRITE_PROTECTED, "CKR_TOKEN_WRITE_PROTECTED", Fate::kCaller},
    {CKR_UNWRAPPING_KEY_HANDLE_INVALID, "CKR_UNWRAPPING_KEY_HANDLE_INVALID", Fate::kKeeps},
    {CKR_UNWRAPPING_KEY_SIZE_RANGE, "CKR_UNWRAPPING_KEY_SIZE_RANGE", Fate::kCaller},
    {CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT, "CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT", Fate::kCaller},
    {CKR_USER_ALREADY_LOGGED_IN, "CKR_USER_ALREADY_LOGGED_IN", Fate::kKeeps},
    {CKR_USER_NOT_LOGGED_IN, "CKR_USER_NOT_LOGGED_IN", Fate::kLoginLost},
    {CKR_USER_PIN_NOT_INITIALIZED, "CKR_USER_PIN_NOT_INITIALIZED", Fate::kCaller},
    {CKR_USER_TYPE_INVALID, "CKR_USER_TYPE_INVALID", Fate::kCaller},
    {CKR_USER_ANOTHER_ALREADY_LOGGED_IN, "CKR_USER_ANOTHER_ALREADY_LOGGED_IN", Fate::kCaller},
    {CKR_USER_TOO_MANY_TYPES, "CKR_USER_TOO_MANY_TYPES", Fate::kCaller},
    {CKR_WRAPPED_KEY_INVALID, "CKR_WRAPPED_KEY_INVALID", Fate::kCaller},
    {CKR_WRAPPED_KEY_LEN_RANGE, "CKR_WRAPPED_KEY_LEN_RANGE", Fate::kCaller},
    {CKR_WRAPPING_KEY_HANDLE_INVALID, "CKR_WRAPPING_KEY_HANDLE_INVALID", Fate::kKeeps},
    {CKR_WRAPPING_KEY_SIZE_RANGE, "CKR_WRAPPING_KEY_SIZE_RANGE", Fate::kCaller},
    {CKR_WRAPPING_KEY_TYPE_INCONSISTENT, "CKR_WRAPPING_KEY_TYPE_INCONSISTENT", Fate::kCaller},
    {CKR_RANDOM_SEED_NOT_SUPPORTED, "CKR_RANDOM_SEED_NOT_SUPPORTED", Fate::kKeeps},
    {CKR_RANDOM_NO_RNG, "CKR_RANDOM_NO_RNG", Fate::kKeeps},
    {CKR_DOMAIN_PARAMS_INVALID, "CKR_DOMAIN_PARAMS_INVALID", Fate::kCaller},
    {CKR_CURVE_NOT_SUPPORTED, "CKR_CURVE_NOT_SUPPORTED", Fate::kCaller},
    {CKR_BUFFER_TOO_SMALL, "CKR_BUFFER_TOO_SMALL", Fate::kSessionBroken},
    {CKR_SAVED_STATE_INVALID, "CKR_SAVED_STATE_INVALID", Fate::kKeeps},
    {CKR_INFORMATION_SENSITIVE, "CKR_INFORMATION_SENSITIVE", Fate::kCaller},
    {CKR_STATE_UNSAVEABLE, "CKR_STATE_UNSAVEABLE", Fate::kKeeps},
    {CKR_CRYPTOKI_NOT_INITIALIZED, "CKR_CRYPTOKI_NOT_INITIALIZED", Fate::kModuleGone},
    {CKR_CRYPTOKI_ALREADY_INITIALIZED, "CKR_CRYPTOKI_ALREADY_INITIALIZED", Fate::kKeeps},
    {CKR_MUTEX_BAD, "CKR_MUTEX_BAD", Fate::kSessionBroken},
    {CKR_MUTEX_NOT_LOCKED, "CKR_MUTEX_NOT_LOCKED", Fate::kSessionBroken},
    {CKR_NEW_PIN_MODE, "CKR_NEW_PIN_MODE", Fate::kCaller},
    {CKR_NEXT_OTP, "CKR_NEXT_OTP", Fate::kCaller},
    {CKR_EXCEEDED_MAX_ITERATIONS, "CKR_EXCEEDED_MAX_ITERATIONS", Fate::kCaller},
    {CKR_FIPS_SELF_TEST_FAILED, "CKR_FIPS_SELF_TEST_FAILED", Fate::kModuleGone},
    {CKR_LIBRARY_LOAD_FAILED, "CKR_LIBRARY_LOAD_FAILED", Fate::kModuleGone},
    {CKR_PIN_TOO_WEAK, "CKR_PIN_TOO_WEAK", Fate::kCaller},
    {CKR_PUBLIC_KEY_INVALID, "CKR_PUBLIC_KEY_INVALID", Fate::kCaller},
    {CKR_FUNCTION_REJECTED, "CKR_FUNCTION_REJECTED", Fate::kSessionBroken},
});

// By function, what differs from the table above. Decrypting, verifying, unwrapping and deriving
// take bytes that came from outside, and modules have their own ideas of how to call those bad:
// SoftHSM 2.6 CKR_GENERAL_ERROR, nShield CKR_FUNCTION_FAILED, kryoptic CKR_DEVICE_ERROR for a wrong
// signature. The operation has ended by then, so that the session is good.
struct Exception {
  std::string_view function;
  CK_RV rv;
  Fate fate;
  enum class Doubt : std::uint8_t { kNone, kCallerOrToken } doubt;
};
constexpr auto kExceptions = std::to_array<Exception>({
    {"C_Decrypt", CKR_GENERAL_ERROR, Fate::kKeeps, Exception::Doubt::kCallerOrToken},
    {"C_Decrypt", CKR_FUNCTION_FAILED, Fate::kKeeps, Exception::Doubt::kCallerOrToken},
    {"C_Verify", CKR_GENERAL_ERROR, Fate::kKeeps, Exception::Doubt::kCallerOrToken},
    {"C_Verify", CKR_FUNCTION_FAILED, Fate::kKeeps, Exception::Doubt::kCallerOrToken},
    {"C_Verify", CKR_DEVICE_ERROR, Fate::kKeeps, Exception::Doubt::kCallerOrToken},
    {"C_UnwrapKey", CKR_GENERAL_ERROR, Fate::kKeeps, Exception::Doubt::kCallerOrToken},
    {"C_UnwrapKey", CKR_FUNCTION_FAILED, Fate::kKeeps, Exception::Doubt::kCallerOrToken},
    {"C_DeriveKey", CKR_GENERAL_ERROR, Fate::kKeeps, Exception::Doubt::kCallerOrToken},
    {"C_DeriveKey", CKR_FUNCTION_FAILED, Fate::kKeeps, Exception::Doubt::kCallerOrToken},
    // One call each, with no operation that could stay active.
    {"C_WrapKey", CKR_BUFFER_TOO_SMALL, Fate::kKeeps, Exception::Doubt::kNone},
    {"C_GetAttributeValue", CKR_BUFFER_TOO_SMALL, Fate::kKeeps, Exception::Doubt::kNone},
});

const RvRow* find_row(CK_RV rv) {
  const auto row = std::ranges::lower_bound(kRows, rv, {}, &RvRow::rv);
  return row != kRows.end() && row->rv == rv ? &*row : nullptr;
}

const Exception* find_exception(CK_RV rv, std::string_view function) {
  const auto row = std::ranges::find_if(kExceptions, [&](const Exception& exception) {
    return exception.rv == rv && exception.function == function;
  });
  return row != kExceptions.end() ? &*row : nullptr;
}

}  // namespace

std::span<const RvRow> rv_table() { return kRows; }

std::string_view rv_name(CK_RV rv) {
  if (const RvRow* row = find_row(rv)) return row->name;
  return (rv & CKR_VENDOR_DEFINED) != 0 ? "CKR_VENDOR_DEFINED" : "unknown";
}

std::optional<CK_RV> rv_of_name(std::string_view name) {
  const auto row = std::ranges::find(kRows, name, &RvRow::name);
  if (row == kRows.end()) return std::nullopt;
  return row->rv;
}

Fate fate_of(CK_RV rv, std::string_view function) {
  if (const Exception* exception = find_exception(rv, function)) return exception->fate;
  const RvRow* row = find_row(rv);
  return row != nullptr ? row->fate : Fate::kSessionBroken;
}

std::string Error::text() const {
  std::array<char, 32> hex{};
  std::snprintf(hex.data(), hex.size(), " (0x%08lx)", rv_);
  std::string text(function_);
  text += ": ";
  text += rv_name(rv_);
  text += hex.data();
  if (!detail_.empty()) {
    text += ": ";
    text += detail_;
  }
  return text;
}

bool Error::poisons_session() const {
  const Fate it = fate();
  return it == Fate::kSessionBroken || it == Fate::kModuleGone;
}

bool Error::handle_stale() const {
  return rv_ == CKR_OBJECT_HANDLE_INVALID || rv_ == CKR_KEY_HANDLE_INVALID ||
         rv_ == CKR_WRAPPING_KEY_HANDLE_INVALID || rv_ == CKR_UNWRAPPING_KEY_HANDLE_INVALID;
}

bool Error::pin_refused() const {
  switch (rv_) {
    case CKR_PIN_INCORRECT:
    case CKR_PIN_INVALID:
    case CKR_PIN_LEN_RANGE:
    case CKR_PIN_EXPIRED:
    case CKR_PIN_LOCKED:
    case CKR_USER_PIN_NOT_INITIALIZED:
      return true;
    default:
      return false;
  }
}

bool Error::ambiguous() const {
  const Exception* exception = find_exception(rv_, function_);
  return exception != nullptr && exception->doubt == Exception::Doubt::kCallerOrToken;
}

}  // namespace keyhold::pkcs11

// What a Cryptoki call answered, and what that does to the session it was made on.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "pkcs11/cryptoki.h"

namespace keyhold::pkcs11 {

/// What becomes of the session (and of what is above it) after a return value.
enum class Fate : std::uint8_t {
  kCaller,         ///< what was asked for is wrong; session and token are well
  kKeeps,          ///< not the caller's doing, but the session stays good
  kSessionBroken,  ///< an operation may still be active, or the session is gone: close it
  kLoginLost,      ///< the token no longer counts us as logged in; log in and try again
  kModuleGone,     ///< the token or the module is away: C_Finalize and C_Initialize bring it back
};

/// A row of the table of return values.
struct RvRow {
  CK_RV rv;
  std::string_view name;  ///< as the specification spells it
  Fate fate;              ///< unless fate_of() knows better for a function
};

/// Every return value of Cryptoki 2.40, in the order of their numbers.
std::span<const RvRow> rv_table();

/// "CKR_GENERAL_ERROR"; "CKR_VENDOR_DEFINED" or "unknown" for a value outside the table.
std::string_view rv_name(CK_RV rv);

/// The value of a name such as "CKR_GENERAL_ERROR"; nothing for a name outside the table.
std::optional<CK_RV> rv_of_name(std::string_view name);

/// The fate after `rv` from `function`. Values outside the table break the session. The function
/// matters where modules answer bad input with codes that elsewhere mean trouble.
Fate fate_of(CK_RV rv, std::string_view function);

/// A Cryptoki function's name, what it answered, and sometimes a sentence. Holds no secret.
class Error {
 public:
  /// No error: CKR_OK. Needed by boost's result, and not seen elsewhere.
  Error() = default;

  /// `function` must have static storage: the Cryptoki name ("C_Encrypt"), or the name of the
  /// function of this library that refused.
  explicit Error(CK_RV rv, std::string_view function, std::string detail = {})
      : rv_(rv), function_(function), detail_(std::move(detail)) {}

  CK_RV rv() const { return rv_; }
  std::string_view function() const { return function_; }
  const std::string& detail() const { return detail_; }
  Fate fate() const { return fate_of(rv_, function_); }

  /// "C_Decrypt: CKR_GENERAL_ERROR (0x00000005)", then ": " and the detail if there is one.
  std::string text() const;

  /// The session must not be used again.
  bool poisons_session() const;
  /// The token or the module is away; other sessions will find the same.
  bool token_gone() const { return fate() == Fate::kModuleGone; }
  bool login_lost() const { return fate() == Fate::kLoginLost; }
  /// An object handle means nothing (any more): look the object up again.
  bool handle_stale() const;
  /// The token refuses this PIN. Trying it again may lock the token for good.
  bool pin_refused() const;
  /// No session to be had now; one may be free later.
  bool sessions_exhausted() const { return rv_ == CKR_SESSION_COUNT; }
  /// Some tokens answer this to bad input, others to their own trouble: only asking the token
  /// something of known answer tells which it was.
  bool ambiguous() const;

 private:
  CK_RV rv_ = CKR_OK;
  std::string_view function_;
  std::string detail_;
};

}  // namespace keyhold::pkcs11

// The names that profiles use for PKCS#11's numbers.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace keyhold::token {

/// The CK_RV of `CKR_…`, or of a hexadecimal number `0x…` for a vendor's own; nothing for others.
std::optional<unsigned long> return_code_of_name(const std::string& name);

/// The CK_ATTRIBUTE_TYPE of the `CKA_…` of a key template that a profile may drop. CKA_SENSITIVE,
/// CKA_EXTRACTABLE and the usage attributes carry custody and have no name here; what a key without
/// CKA_UNWRAP_TEMPLATE lets be done is tried at admission.
std::optional<unsigned long> attribute_of_name(const std::string& name);

/// The name of an attribute that attribute_of_name knows; a number otherwise.
std::string attribute_name(unsigned long type);

/// A mechanism that wraps keys under an AES key.
struct WrapMechanism {
  unsigned long type;
  std::string_view name;
};
/// Those that PKCS#11 has, the best first: RFC 5649, what may be it, RFC 3394.
std::span<const WrapMechanism> wrap_mechanisms();

/// The CK_MECHANISM_TYPE of a `CKM_AES_KEY_WRAP…`, or of a hexadecimal number for a vendor's own.
std::optional<unsigned long> wrap_mechanism_of_name(const std::string& name);
/// The other way round.
std::string wrap_mechanism_name(unsigned long type);

/// `0x80000001`
std::string hexadecimal(unsigned long value);
std::optional<unsigned long> number_of_hexadecimal(std::string_view text);

}  // namespace keyhold::token

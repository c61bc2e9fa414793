// pkcs11: URIs (RFC 7512) that name one token.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "pkcs11/result.h"

namespace keyhold::pkcs11 {

/// A token's URI, decoded. What the URI does not say is empty.
struct TokenUri {
  std::optional<std::string> token;  ///< the label
  std::optional<std::string> serial;
  std::optional<std::string> manufacturer;
  std::optional<std::string> model;
  std::optional<std::string> module_path;
  std::optional<std::string> module_name;
  std::optional<std::string> pin_source;  ///< as it stands; who uses it reads it
};

/// Reads a URI strictly (CKR_ARGUMENTS_BAD, with a sentence that repeats no value). Refused: an
/// attribute that is not in TokenUri (p11-kit would take it for one that matches any token), one
/// given twice or empty, a value longer than the token's field, a URI without token and serial, and
/// pin-value, since URIs are shown and logged.
Result<TokenUri> parse_token_uri(std::string_view uri);

}  // namespace keyhold::pkcs11

// A `pkcs11:` URI as part of a profile.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace keyhold::token {

struct TokenAddress {
  std::vector<std::string> overrides;  ///< as parse_profile takes them
  std::string pin_source;              ///< as it stands in the URI; empty: it has none
};

/// Reads a URI with a token's label, serial or both, and, if it likes, module-path and pin-source.
/// kValidation for one that says something else, pin-value above all: URIs are shown and logged.
Result<TokenAddress> read_token_uri(std::string_view uri);

}  // namespace keyhold::token

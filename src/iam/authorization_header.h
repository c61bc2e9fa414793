// The Authorization header of Signature Version 4.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace keyhold::iam {

/// The parts of `AWS4-HMAC-SHA256 Credential=…, SignedHeaders=…, Signature=…`: views into the
/// header's value, none of them empty but, perhaps, parts of the credential.
struct AuthorizationHeader {
  std::string_view access_key_id;
  std::string_view date;
  std::string_view region;
  std::string_view service;
  std::string_view terminator;
  std::string_view signed_headers;
  std::string_view signature;
};

/// Whether the request has an X-Amz-Date or a Date header: AWS names a missing one in the same
/// sentence as missing parts of the Authorization header.
enum class DateHeader : std::uint8_t { kAbsent, kPresent };

/// The parameters may come in any order, with blanks or without after the commas.
/// kIncompleteSignature with AWS's text for anything else.
Result<AuthorizationHeader> parse_authorization_header(std::string_view value, DateHeader date);

/// The text with `?` for each byte that is not printable ASCII, for quoting in an error.
std::string printable(std::string_view text);

}  // namespace keyhold::iam

// Signature Version 4 step by step, for the verifier, the signer and their tests.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.h"
#include "iam/signed_request.h"

namespace keyhold::iam::sigv4 {

inline constexpr std::string_view kAlgorithm = "AWS4-HMAC-SHA256";
inline constexpr std::string_view kTerminator = "aws4_request";

/// What a signing key is good for.
struct Scope {
  std::string_view date;  ///< YYYYMMDD
  std::string_view region;
  std::string_view service;

  /// `<date>/<region>/<service>/aws4_request`
  std::string text() const;
};

/// The part of a target before the first `?`, and the part after it.
std::string_view path_of(std::string_view target);
std::string_view query_of(std::string_view target);

/// Percent-decoded; a `%` that no two hexadecimal digits follow stands for itself.
std::string percent_decode(std::string_view text);

/// The headers of a request by lower-case name, those of one name in order of arrival.
class HeaderTable {
 public:
  struct Entry {
    std::string name;
    std::string_view value;
    std::size_t place;  ///< among the headers as they came
  };

  explicit HeaderTable(std::span<const Header> headers);

  std::span<const Entry> all() const { return entries_; }
  /// Those named `name`, which is lower case.
  std::span<const Entry> named(std::string_view name) const;

 private:
  std::vector<Entry> entries_;  ///< by name
};

/// Dot segments and empty ones taken out, each remaining byte but the unreserved ones
/// percent-encoded: the path as received holds the first encoding, so this is the second.
std::string canonical_path(std::string_view path);

/// Decoded and encoded again, sorted by encoded name and then value.
std::string canonical_query(std::string_view query);

/// Without blanks at the ends, and with one space for each run of blanks inside, quoted or not.
std::string canonical_header_value(std::string_view value);

/// Names joined by `;`.
std::string join_names(std::span<const std::string> names);

/// `signed_names`: lower case, ascending. One that no header has gets an empty line, which no
/// honest client signs. `payload_hash`: lower-case hex.
std::string canonical_request(std::string_view method, std::string_view target,
                              const HeaderTable& headers, std::span<const std::string> signed_names,
                              std::string_view payload_hash);

/// `time`: YYYYMMDDTHHMMSSZ.
std::string string_to_sign(std::string_view time, const Scope& scope,
                           std::string_view canonical_request);

Secret signing_key(const Secret& secret_access_key, const Scope& scope);

/// Lower-case hex.
std::string signature(const Secret& signing_key, std::string_view string_to_sign);

}  // namespace keyhold::iam::sigv4

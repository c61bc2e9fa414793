// The one error type from token up: a code of error.def and the sentence the caller reads.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace keyhold {

enum class ErrorCode : std::uint8_t {
#define KEYHOLD_ERROR(code, wire_name, status, blame) code,
#include "base/error.def"
#undef KEYHOLD_ERROR
};

enum class Blame : std::uint8_t { kCaller, kService };

/// A row of error.def.
struct ErrorRow {
  std::string_view wire_name;  ///< as in `__type`
  int http_status;
  Blame blame;
};

const ErrorRow& error_row(ErrorCode code);

/// The code of a wire name; nothing for a name that is not in the table.
std::optional<ErrorCode> error_code(std::string_view wire_name);

/// What went wrong, for the caller. `message` is sent as it is, so it never holds a secret and
/// never a token's or a database's own words; an empty one is not sent at all, as AWS does for
/// InvalidCiphertextException. `detail` is for the log alone.
class Error {
 public:
  /// An error without a cause. Boost 1.81's result::error() needs one to be there, for a result
  /// that holds a value; it is never seen.
  Error() : Error(ErrorCode::kKmsInternal) {}
  explicit Error(ErrorCode code, std::string message = {}, std::string detail = {})
      : code_(code), message_(std::move(message)), detail_(std::move(detail)) {}

  ErrorCode code() const { return code_; }
  const std::string& message() const { return message_; }
  const std::string& detail() const { return detail_; }

 private:
  ErrorCode code_;
  std::string message_;
  std::string detail_;
};

}  // namespace keyhold

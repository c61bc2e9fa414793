// The head of an answer, as bytes.
#pragma once

#include <cstdint>
#include <ctime>
#include <span>
#include <string>
#include <string_view>

#include "http/message.h"

namespace keyhold::http {

/// The Date field's value, made anew only when the second changes. For one thread.
class HttpDate {
 public:
  /// RFC 9110 section 5.6.7, "Sun, 06 Nov 1994 08:49:37 GMT". Valid until the next call.
  std::string_view at(std::time_t now);

 private:
  std::time_t second_ = -1;
  std::string text_;
};

enum class AfterAnswer : std::uint8_t { kKeepOpen, kClose };

/// What the server knows and the handler does not.
struct HeadContext {
  std::span<const ResponseHeader> default_headers;
  std::string_view request_id_name;  ///< no such field if empty
  std::string_view request_id;
  std::string_view date;
  int request_version = 11;  ///< 10 or 11
  AfterAnswer after = AfterAnswer::kKeepOpen;
};

/// Whether the answer can be sent: its status is one, its fields are well-formed (no control
/// character can end a line early) and none is the server's own, as the request id's is.
bool is_sendable(const Response& response, std::string_view request_id_name);

/// Writes status line, fields and the empty line over `out`.
void write_head(const Response& response, const HeadContext& context, std::string& out);

/// Whether the body is sent after the head (RFC 9110 sections 9.3.2, 15.3.5, 15.4.5).
bool has_body(std::string_view request_method, int status);

}  // namespace keyhold::http

#include "api/error_body.h"

#include "base/json.h"

namespace keyhold::api {

Secret error_body(const Error& error) {
  json::Writer writer;
  writer.begin_object().key("__type").string(error_row(error.code()).wire_name);
  if (!error.message().empty()) {
    const bool access_denied = error.code() == ErrorCode::kAccessDenied;
    writer.key(access_denied ? "Message" : "message").string(error.message());
  }
  writer.end_object();
  return writer.take_secret();
}

}  // namespace keyhold::api

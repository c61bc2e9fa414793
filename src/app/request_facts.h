// What policies and the audit trail want to know of a request.
#pragma once

#include <string_view>

#include "http/message.h"
#include "iam/request.h"

namespace keyhold::app {

/// The value of the first field of that name; empty if there is none.
inline std::string_view header(const http::Request& request, std::string_view name) {
  for (const Header& field : request.headers) {
    if (http::same_name(field.name, name)) return field.value;
  }
  return {};
}

inline iam::Transport transport_of(const http::Request& request) {
  return request.tls.version.empty() ? iam::Transport::kPlain : iam::Transport::kTls;
}

}  // namespace keyhold::app

// A request as a signature sees it.
#pragma once

#include <span>
#include <string_view>

#include "base/bytes.h"
#include "base/header.h"

namespace keyhold::iam {

/// Views into the request as it was received: nothing decoded, nothing rewritten.
struct SignedRequest {
  std::string_view method;
  std::string_view target;  ///< path and, after a `?`, the query
  std::span<const Header> headers;
  ByteView body;
};

}  // namespace keyhold::iam

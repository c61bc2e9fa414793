// Pages of a list: markers that callers hand back and cannot read meaning into.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/base64.h"
#include "base/result.h"

namespace keyhold::kms {

/// The marker after the element named `last` of the list named `list`.
inline std::string make_marker(std::string_view list, std::string_view last) {
  return to_base64(as_bytes(std::string(list) + "/" + std::string(last)));
}

/// The element's name in a marker of that list; empty if there is no marker, so that the page
/// begins at the start. kInvalidMarker for anything else.
inline Result<std::string> read_marker(std::string_view list,
                                       const std::optional<std::string>& marker) {
  if (!marker) return std::string();
  const auto bytes = from_base64(*marker);
  const std::string prefix = std::string(list) + "/";
  if (!bytes || !as_text(*bytes).starts_with(prefix) || bytes->size() == prefix.size()) {
    return Error(ErrorCode::kInvalidMarker, "The marker is not valid for this list.");
  }
  return std::string(as_text(*bytes).substr(prefix.size()));
}

}  // namespace keyhold::kms

// Pages of a list, and what is asked of one.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace keyhold::kms {

/// A page of a list: elements in a stable order, after the marker and up to the limit.
template <typename Element>
struct Page {
  std::vector<Element> elements;
  std::optional<std::string> next_marker;  ///< set if there is more; opaque to callers
};

struct PageRequest {
  std::size_t limit = 100;
  std::optional<std::string> marker;  ///< kInvalidMarker if it was not made by the same list
};

}  // namespace keyhold::kms

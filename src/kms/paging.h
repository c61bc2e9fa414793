// Pages of a list: markers that callers hand back and cannot read meaning into.
#pragma once

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/base64.h"
#include "base/result.h"
#include "kms/page.h"

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

/// A page of elements that are sorted by name. It begins after the name in the marker, whether the
/// element of that name is still there or not: what stays is listed once, whatever comes and goes.
template <typename Element, typename NameOf>
Result<Page<Element>> page_by_name(std::string_view list, std::span<const Element> elements,
                                   const PageRequest& request, NameOf name_of) {
  TRY_ASSIGN(const std::string after, read_marker(list, request.marker));
  auto at = elements.begin();
  if (!after.empty()) at = std::ranges::upper_bound(elements, std::string_view(after), {}, name_of);
  Page<Element> page;
  const auto rest = static_cast<std::size_t>(elements.end() - at);
  const auto taken = std::min(rest, request.limit);
  page.elements.assign(at, at + static_cast<std::ptrdiff_t>(taken));
  if (taken < rest) page.next_marker = make_marker(list, name_of(page.elements.back()));
  return page;
}

}  // namespace keyhold::kms

// Pages of lists.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "kms/service.h"

namespace keyhold::api {

/// What a list operation is asked for. `preferred` without a Limit; a Limit above `largest` is
/// capped, since a page may always be shorter than asked for.
inline kms::PageRequest page_request(const std::optional<std::int64_t>& limit,
                                     const std::optional<std::string>& marker,
                                     std::int64_t preferred, std::int64_t largest) {
  return {.limit = static_cast<std::size_t>(std::min(limit.value_or(preferred), largest)),
          .marker = marker};
}

}  // namespace keyhold::api

// The instant a request says it was signed at.
#pragma once

#include <optional>
#include <string_view>

#include "base/clock.h"

namespace keyhold::iam {

/// `20150830T123600Z`, exactly so, of a day that exists; nothing otherwise.
std::optional<TimePoint> parse_basic_iso8601(std::string_view text);

/// The value of a Date header: `Sun, 30 Aug 2015 12:36:00 GMT` (RFC 9110 section 5.6.7, the
/// preferred form, with the right day of the week) or the basic ISO 8601 form.
std::optional<TimePoint> parse_date_header(std::string_view text);

}  // namespace keyhold::iam

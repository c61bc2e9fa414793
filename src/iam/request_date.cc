#include "iam/request_date.h"

#include <array>
#include <chrono>

namespace keyhold::iam {
namespace {

/// The number that exactly the digits at [at, at + count) write.
std::optional<unsigned> digits(std::string_view text, std::size_t at, std::size_t count) {
  unsigned value = 0;
  for (const char c : text.substr(at, count)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  return value;
}

/// The instant of these parts, if each was read and there is such a day and time. A leap second is
/// not taken: a clock that showed one cannot be told from a wrong text.
std::optional<TimePoint> instant(std::optional<unsigned> year, std::optional<unsigned> month,
                                 std::optional<unsigned> day, std::optional<unsigned> hour,
                                 std::optional<unsigned> minute, std::optional<unsigned> second) {
  if (!year || !month || !day || !hour || !minute || !second) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(static_cast<int>(*year)),
                                         std::chrono::month(*month), std::chrono::day(*day)};
  if (!date.ok() || *hour > 23 || *minute > 59 || *second > 59) return std::nullopt;
  return TimePoint(std::chrono::sys_days(date)) + std::chrono::hours(*hour) +
         std::chrono::minutes(*minute) + std::chrono::seconds(*second);
}

std::optional<unsigned> month_number(std::string_view name) {
  constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                        "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  for (unsigned i = 0; i < kMonths.size(); ++i) {
    if (kMonths[i] == name) return i + 1;
  }
  return std::nullopt;
}

}  // namespace

std::optional<TimePoint> parse_basic_iso8601(std::string_view text) {
  if (text.size() != 16 || text[8] != 'T' || text[15] != 'Z') return std::nullopt;
  return instant(digits(text, 0, 4), digits(text, 4, 2), digits(text, 6, 2), digits(text, 9, 2),
                 digits(text, 11, 2), digits(text, 13, 2));
}

std::optional<TimePoint> parse_date_header(std::string_view text) {
  if (text.size() != 29) return parse_basic_iso8601(text);
  constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed",
                                                     "Thu", "Fri", "Sat"};
  if (text.substr(3, 2) != ", " || text[7] != ' ' || text[11] != ' ' || text[16] != ' ' ||
      text[19] != ':' || text[22] != ':' || text.substr(25) != " GMT")
    return std::nullopt;
  const auto time =
      instant(digits(text, 12, 4), month_number(text.substr(8, 3)), digits(text, 5, 2),
              digits(text, 17, 2), digits(text, 20, 2), digits(text, 23, 2));
  if (!time) return std::nullopt;
  const std::chrono::weekday day(std::chrono::floor<std::chrono::days>(*time));
  if (text.substr(0, 3) != kDays[day.c_encoding()]) return std::nullopt;
  return time;
}

}  // namespace keyhold::iam

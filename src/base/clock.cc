#include "base/clock.h"

#include <algorithm>
#include <array>

namespace keyhold {
namespace {

enum class Separators : std::uint8_t { kNone, kAll };

using namespace std::chrono_literals;
// What four digits of a year can say.
constexpr auto kFirst = std::chrono::sys_days(0y / 1 / 1) + 0s;
constexpr auto kLast = std::chrono::sys_days(10000y / 1 / 1) - 1s;

// Not strftime, which asks for the locale and the time zone's lock each time.
std::string format_utc(TimePoint time, Separators separators) {
  const auto seconds = std::clamp(std::chrono::floor<std::chrono::seconds>(time), kFirst, kLast);
  const auto day = std::chrono::floor<std::chrono::days>(seconds);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(seconds - day);

  std::array<char, 20> text{};
  std::size_t size = 0;
  const auto number = [&](long value, std::size_t digits) {
    for (std::size_t i = digits; i-- > 0; value /= 10) {
      text[size + i] = static_cast<char>('0' + value % 10);
    }
    size += digits;
  };
  const auto separator = [&](char c) {
    if (separators == Separators::kAll) text[size++] = c;
  };
  number(static_cast<int>(date.year()), 4);
  separator('-');
  number(static_cast<unsigned>(date.month()), 2);
  separator('-');
  number(static_cast<unsigned>(date.day()), 2);
  text[size++] = 'T';
  number(clock.hours().count(), 2);
  separator(':');
  number(clock.minutes().count(), 2);
  separator(':');
  number(clock.seconds().count(), 2);
  text[size++] = 'Z';
  return {text.data(), size};
}

}  // namespace

TimePoint SystemClock::now() const {
  return std::chrono::floor<milliseconds>(std::chrono::system_clock::now());
}

std::string to_iso8601(TimePoint time) { return format_utc(time, Separators::kAll); }

std::string to_basic_iso8601(TimePoint time) { return format_utc(time, Separators::kNone); }

}  // namespace keyhold

#include "iam/condition_value.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>

#include "iam/ascii.h"

namespace keyhold::iam {
namespace {

constexpr std::array<std::uint8_t, 12> kIpv4InIpv6 = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

/// Takes exactly `digits` digits.
std::optional<int> take_digits(std::string_view& text, std::size_t digits) {
  if (text.size() < digits) return std::nullopt;
  int value = 0;
  for (const char c : text.substr(0, digits)) {
    if (!is_digit(c)) return std::nullopt;
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(digits);
  return value;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

std::optional<std::chrono::minutes> take_zone(std::string_view& text) {
  if (take(text, 'Z')) return std::chrono::minutes(0);
  const bool west = text.starts_with('-');
  if (!west && !text.starts_with('+')) return std::nullopt;
  text.remove_prefix(1);
  const auto hours = take_digits(text, 2);
  if (!hours || *hours > 23) return std::nullopt;
  take(text, ':');
  const auto minutes = take_digits(text, 2);
  if (!minutes || *minutes > 59) return std::nullopt;
  const std::chrono::minutes offset(*hours * 60 + *minutes);
  return west ? -offset : offset;
}

/// `Thh:mm[:ss[.fraction]]` and the zone, as time after UTC midnight.
std::optional<milliseconds> take_time(std::string_view& text) {
  if (!take(text, 'T')) return std::nullopt;
  const auto hour = take_digits(text, 2);
  if (!hour || *hour > 23 || !take(text, ':')) return std::nullopt;
  const auto minute = take_digits(text, 2);
  if (!minute || *minute > 59) return std::nullopt;
  milliseconds time = std::chrono::hours(*hour) + std::chrono::minutes(*minute);
  if (take(text, ':')) {
    const auto second = take_digits(text, 2);
    if (!second || *second > 59) return std::nullopt;
    time += std::chrono::seconds(*second);
    if (take(text, '.')) {
      if (text.empty() || !is_digit(text.front())) return std::nullopt;
      for (int scale = 100; !text.empty() && is_digit(text.front()); scale /= 10) {
        time += milliseconds((text.front() - '0') * scale);
        text.remove_prefix(1);
      }
    }
  }
  const auto zone = take_zone(text);
  if (!zone) return std::nullopt;
  return time - *zone;
}

std::optional<TimePoint> parse_iso8601(std::string_view text) {
  const auto year = take_digits(text, 4);
  if (!year) return std::nullopt;
  int month = 1;
  int day = 1;
  if (take(text, '-')) {
    const auto digits = take_digits(text, 2);
    if (!digits) return std::nullopt;
    month = *digits;
    if (take(text, '-')) {
      const auto of_month = take_digits(text, 2);
      if (!of_month) return std::nullopt;
      day = *of_month;
    }
  }
  const std::chrono::year_month_day date(std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day)));
  if (!date.ok()) return std::nullopt;
  TimePoint instant = std::chrono::sys_days(date);
  if (text.empty()) return instant;
  const auto time = take_time(text);
  if (!time || !text.empty()) return std::nullopt;
  return instant + *time;
}

}  // namespace

std::optional<double> parse_number(std::string_view text) {
  std::string_view digits = text;
  take(digits, '-');
  if (digits.empty() || !is_digit(digits.front())) return std::nullopt;
  double value = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  if (!std::isfinite(value)) return std::nullopt;
  return value;
}

std::optional<TimePoint> parse_instant(std::string_view text) {
  const bool is_count =
      !text.empty() && text.size() <= 12 && std::all_of(text.begin(), text.end(), is_digit);
  // Four digits alone are a year.
  if (!is_count || text.size() == 4) return parse_iso8601(text);
  std::int64_t seconds = 0;
  std::from_chars(text.data(), text.data() + text.size(), seconds);
  return TimePoint(std::chrono::seconds(seconds));
}

std::optional<bool> parse_boolean(std::string_view text) {
  const std::string lower = to_lower(text);
  if (lower == "true") return true;
  if (lower == "false") return false;
  return std::nullopt;
}

bool AddressRange::holds(const AddressRange& single) const {
  const unsigned whole = prefix_bits / 8;
  const unsigned rest = prefix_bits % 8;
  if (!std::equal(address.begin(), address.begin() + whole, single.address.begin())) return false;
  if (rest == 0) return true;
  const auto mask = static_cast<std::uint8_t>(0xFF00u >> rest);
  return ((address[whole] ^ single.address[whole]) & mask) == 0;
}

std::optional<AddressRange> parse_address_range(std::string_view text) {
  const std::size_t slash = text.find('/');
  const std::string address(text.substr(0, slash));
  AddressRange range;
  unsigned offset = 0;
  std::uint8_t* const v4 = range.address.data() + kIpv4InIpv6.size();
  if (::inet_pton(AF_INET, address.c_str(), v4) == 1) {
    std::copy(kIpv4InIpv6.begin(), kIpv4InIpv6.end(), range.address.begin());
    offset = 96;
  } else if (::inet_pton(AF_INET6, address.c_str(), range.address.data()) != 1) {
    return std::nullopt;
  }
  if (slash == std::string_view::npos) return range;
  const std::string_view bits = text.substr(slash + 1);
  unsigned prefix = 0;
  const auto [end, error] = std::from_chars(bits.data(), bits.data() + bits.size(), prefix);
  if (error != std::errc{} || end != bits.data() + bits.size() || prefix > 128 - offset) {
    return std::nullopt;
  }
  range.prefix_bits = offset + prefix;
  return range;
}

}  // namespace keyhold::iam

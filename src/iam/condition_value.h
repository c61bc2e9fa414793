// The typed values that conditions compare: numbers, instants, addresses.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/clock.h"

namespace keyhold::iam {

/// A decimal number, without an exponent.
std::optional<double> parse_number(std::string_view text);

/// The ISO 8601 forms that IAM takes (https://www.w3.org/TR/NOTE-datetime: a year, a month, a day,
/// or one of them with a time and its zone), or seconds since the epoch.
std::optional<TimePoint> parse_instant(std::string_view text);

std::optional<bool> parse_boolean(std::string_view text);

/// A range of IPv4 or IPv6 addresses. An IPv4 address in IPv6's form is the IPv4 address.
struct AddressRange {
  std::array<std::uint8_t, 16> address{};
  unsigned prefix_bits = 128;  ///< how many of `address` count

  bool holds(const AddressRange& single) const;
};

/// `203.0.113.0/24`, `2001:db8::/32`, or one address; bits beyond the prefix do not count.
std::optional<AddressRange> parse_address_range(std::string_view text);

}  // namespace keyhold::iam

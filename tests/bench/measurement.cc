#include "measurement.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace keyhold::bench {

Spread spread_of(std::vector<double> values) {
  if (values.empty()) return {};
  std::ranges::sort(values);
  const std::size_t middle = values.size() / 2;
  const double median =
      values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
  return {median, values.front(), values.back()};
}

Spread spread_of(const Rounds& rounds, double Measurement::*what) {
  std::vector<double> values;
  for (const Measurement& round : rounds) values.push_back(round.*what);
  return spread_of(std::move(values));
}

Spread ratio_of(const Rounds& of, const Rounds& to, double Measurement::*what) {
  std::vector<double> values;
  for (std::size_t i = 0; i < std::min(of.size(), to.size()); ++i) {
    if (to[i].*what > 0) values.push_back(of[i].*what / (to[i].*what));
  }
  return spread_of(std::move(values));
}

std::string number(double value, int digits) {
  std::array<char, 64> text{};
  const int size = std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return {text.data(), static_cast<std::size_t>(size)};
}

}  // namespace keyhold::bench

// What a run of a server under load showed, and what many runs say together.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace keyhold::bench {

struct Measurement {
  double rate = 0;  ///< answers a second
  double p50 = 0;   ///< microseconds
  double p99 = 0;
  double server_us = 0;  ///< CPU of the server for each answer
  double client_us = 0;  ///< CPU of the client for each answer
  std::uint64_t bad = 0;
};

/// Middle and ends of some numbers.
struct Spread {
  double median = 0;
  double least = 0;
  double most = 0;
};
Spread spread_of(std::vector<double> values);

using Rounds = std::vector<Measurement>;
Spread spread_of(const Rounds& rounds, double Measurement::*what);
/// Round by round, so that a busy moment of the machine hits both sides of a ratio.
Spread ratio_of(const Rounds& of, const Rounds& to, double Measurement::*what);

/// With `digits` behind the point.
std::string number(double value, int digits);

}  // namespace keyhold::bench

// What a request costs when there is more of something: keys, key materials, aliases.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "measurement.h"
#include "service.h"

namespace keyhold::bench {

struct Grown {
  std::string what;          ///< "1000 keys"
  Measurement used;          ///< 8 connections, all of them used in turn
  double make_ms = 0;        ///< to make one more, through the API
  double start_seconds = 0;  ///< of the process, with all of them there
  double memory_mb = 0;      ///< resident, after all were used
};

struct GrowthPlan {
  std::vector<std::size_t> keys = {10, 1000, 10'000};
  /// Of wrapped custody: a thousand of them in use, then all in turn.
  std::vector<std::size_t> wrapped_keys = {1000, 100'000};
  std::vector<std::size_t> materials = {1, 100};
  std::vector<std::size_t> aliases = {10'000};
  std::vector<std::size_t> grants = {1, 100, 10'000};
  std::vector<std::size_t> statements = {1, 10, 100};
  std::chrono::milliseconds time{3000};
};

std::vector<Grown> measure_growth(const Programs& programs, const GrowthPlan& plan);

}  // namespace keyhold::bench

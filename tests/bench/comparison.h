// Keyhold beside the bare HTTP server: the same requests, in turn, round after round.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <vector>

#include "measurement.h"
#include "service.h"

namespace keyhold::bench {

struct Case {
  std::string operation;
  std::size_t connections = 1;
  Transport transport = Transport::kPlain;
  double wanted_ratio = 0;  ///< of the rates; 0: none
};

struct Compared {
  Case of;
  Rounds bare;
  Rounds keyhold;
};

struct Effort {
  int rounds = 7;
  std::chrono::milliseconds time{1000};  ///< for each side of each case in each round
};

/// CPU and waits of a server under one load.
Measurement measure(const Process& process, const LoadPlan& plan);

std::vector<Compared> compare(const Programs& programs, const std::vector<Case>& cases,
                              const Effort& effort, const std::vector<std::string>& settings);

}  // namespace keyhold::bench

// Load on an HTTP server: some connections kept open, each with one request in flight.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace keyhold::bench {

enum class Transport : std::uint8_t { kPlain, kTls };

struct LoadPlan {
  std::uint16_t port = 0;  ///< on 127.0.0.1
  Transport transport = Transport::kPlain;
  std::size_t connections = 1;
  std::size_t threads = 1;
  std::chrono::milliseconds time{1000};
  int wanted_status = 200;
  /// Whole requests, sent in turn by each connection from a place of its own.
  std::vector<std::string> requests;
};

struct LoadOutcome {
  std::uint64_t answers = 0;  ///< with the wanted status
  std::uint64_t bad = 0;      ///< with another status, and connections that broke
  double seconds = 0;
  double client_cpu_us = 0;  ///< of the client, for each answer
  std::vector<std::uint32_t>
      waits;  ///< of each answer in tenths of a microsecond, in order of size

  double rate() const { return static_cast<double>(answers) / seconds; }
  /// In microseconds; `part` from 0 to 1.
  double percentile(double part) const;
};

/// Throws std::runtime_error where the server cannot be reached.
LoadOutcome run_load(const LoadPlan& plan);

/// One request, and the body of its answer. Throws if the status is not 200.
std::string ask(std::uint16_t port, Transport transport, std::string_view request);

}  // namespace keyhold::bench

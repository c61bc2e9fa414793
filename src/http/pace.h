// How quickly requests are answered of late.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace keyhold::http {

/// A running mean of the handler's times. One for each io thread; its workers note times, too.
class Pace {
 public:
  /// What an io thread may do by itself: its other connections wait that long.
  static constexpr std::chrono::nanoseconds kQuick = std::chrono::milliseconds(1);

  void note(std::chrono::nanoseconds time) {
    // A lost update under a race changes a mean by nothing that matters.
    const std::int64_t mean = mean_.load(std::memory_order_relaxed);
    mean_.store(mean + (time.count() - mean) / kMemory, std::memory_order_relaxed);
  }
  bool is_quick() const { return mean_.load(std::memory_order_relaxed) < kQuick.count(); }

 private:
  static constexpr std::int64_t kMemory = 32;  // requests, more or less
  std::atomic<std::int64_t> mean_{0};
};

}  // namespace keyhold::http

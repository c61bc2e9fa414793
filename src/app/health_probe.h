// Asks, with a deadline, a question that may hang.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <thread>

#include "base/result.h"

namespace keyhold::app {

/// A thread of its own asks, so that whoever waits can give up. Those who come while it asks share
/// the next answer.
class HealthProbe {
 public:
  /// `question` is called on the probe's thread, one at a time.
  explicit HealthProbe(std::function<Result<void>()> question);
  /// Waits for a question that is being asked.
  ~HealthProbe();
  HealthProbe(const HealthProbe&) = delete;
  HealthProbe& operator=(const HealthProbe&) = delete;

  /// The answer to a question that is asked after this call; kDependencyTimeout after `deadline`.
  Result<void> ask(std::chrono::milliseconds deadline);

 private:
  void run();

  const std::function<Result<void>()> question_;
  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_:
  std::uint64_t wanted_ = 0;    ///< questions
  std::uint64_t answered_ = 0;  ///< up to this one
  Result<void> answer_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace keyhold::app

// Work in the token that may take long: done on threads of its own, while the caller waits up to a
// deadline.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace keyhold::kms {

/// A few threads with a bounded queue. A job writes its intent inside `durably`, so that a caller
/// whose time is up knows which of two things is true: nothing was written and nothing will be, or
/// the work goes on to its end by itself.
class DeadlineJobs {
 public:
  /// Runs `write` unless the caller has given up, and then answers kDependencyTimeout.
  using Durably = std::function<Result<void>(const std::function<Result<void>()>& write)>;
  using Job = std::function<Result<void>(const Durably& durably)>;

  enum class Outcome : std::uint8_t {
    kDone,       ///< the job ran to its end; its result is the answer
    kGoesOn,     ///< the deadline passed after something durable was written
    kCancelled,  ///< the deadline passed before, and the job will write nothing
  };
  struct Answer {
    Outcome outcome;
    Result<void> result;  ///< kDependencyTimeout unless kDone
  };

  explicit DeadlineJobs(std::size_t threads, std::size_t queue_limit);
  ~DeadlineJobs();
  DeadlineJobs(const DeadlineJobs&) = delete;
  DeadlineJobs& operator=(const DeadlineJobs&) = delete;

  /// Waits for the job up to `deadline`. kThrottling when too many wait already.
  Answer run(Job job, milliseconds deadline);

  /// Refuses further jobs and waits for those that were taken.
  void stop();

 private:
  struct Ticket;
  void work();

  const std::size_t queue_limit_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::shared_ptr<Ticket>> queue_;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace keyhold::kms

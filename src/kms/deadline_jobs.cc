#include "kms/deadline_jobs.h"

#include <optional>

namespace keyhold::kms {
namespace {

Error timed_out() {
  return Error(ErrorCode::kDependencyTimeout, "The key store did not answer in time.");
}

}  // namespace

struct DeadlineJobs::Ticket {
  enum class Phase : std::uint8_t { kNothingWritten, kWriting, kWritten, kCancelled };

  explicit Ticket(Job to_do) : job(std::move(to_do)) {}

  Job job;
  std::mutex mutex;
  std::condition_variable changed;
  Phase phase = Phase::kNothingWritten;
  std::optional<Result<void>> result;

  Result<void> durably(const std::function<Result<void>()>& write) {
    {
      const std::lock_guard lock(mutex);
      if (phase == Phase::kCancelled) return timed_out();
      phase = Phase::kWriting;
    }
    auto written = write();
    const std::lock_guard lock(mutex);
    phase = written ? Phase::kWritten : Phase::kNothingWritten;
    changed.notify_all();
    return written;
  }
};

DeadlineJobs::DeadlineJobs(std::size_t threads, std::size_t queue_limit)
    : queue_limit_(queue_limit) {
  for (std::size_t i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
}

DeadlineJobs::~DeadlineJobs() { stop(); }

void DeadlineJobs::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  for (auto& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

DeadlineJobs::Answer DeadlineJobs::run(Job job, milliseconds deadline) {
  const auto ticket = std::make_shared<Ticket>(std::move(job));
  {
    const std::lock_guard lock(mutex_);
    if (stopping_ || queue_.size() >= queue_limit_) {
      return {Outcome::kDone, Error(ErrorCode::kThrottling,
                                    "You have exceeded the rate at which you may call KMS. Reduce "
                                    "the frequency of your calls.")};
    }
    queue_.push_back(ticket);
  }
  changed_.notify_one();

  using Phase = Ticket::Phase;
  std::unique_lock lock(ticket->mutex);
  if (ticket->changed.wait_for(lock, deadline, [&] { return ticket->result.has_value(); })) {
    return {Outcome::kDone, *ticket->result};
  }
  // A write that has begun is waited for: only then is it known which answer is true.
  ticket->changed.wait(
      lock, [&] { return ticket->phase != Phase::kWriting || ticket->result.has_value(); });
  if (ticket->result) return {Outcome::kDone, *ticket->result};
  if (ticket->phase == Phase::kWritten) return {Outcome::kGoesOn, timed_out()};
  ticket->phase = Phase::kCancelled;
  return {Outcome::kCancelled, timed_out()};
}

void DeadlineJobs::work() {
  while (true) {
    std::shared_ptr<Ticket> ticket;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      ticket = std::move(queue_.front());
      queue_.pop_front();
    }
    {
      const std::lock_guard lock(ticket->mutex);
      if (ticket->phase == Ticket::Phase::kCancelled) continue;
    }
    auto result = ticket->job([&](const auto& write) { return ticket->durably(write); });
    const std::lock_guard lock(ticket->mutex);
    ticket->result.emplace(std::move(result));
    ticket->changed.notify_all();
  }
}

}  // namespace keyhold::kms

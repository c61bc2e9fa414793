#include "app/health_probe.h"

#include <utility>

namespace keyhold::app {

HealthProbe::HealthProbe(std::function<Result<void>()> question)
    : question_(std::move(question)), thread_([this] { run(); }) {}

HealthProbe::~HealthProbe() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

Result<void> HealthProbe::ask(std::chrono::milliseconds deadline) {
  std::unique_lock lock(mutex_);
  const std::uint64_t mine = ++wanted_;
  changed_.notify_all();
  const bool in_time =
      changed_.wait_for(lock, deadline, [&] { return answered_ >= mine || ending_; });
  if (in_time && answered_ >= mine) return answer_;
  return Error(ErrorCode::kDependencyTimeout, {},
               "no answer within " + std::to_string(deadline.count()) + " ms");
}

void HealthProbe::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return wanted_ > answered_ || ending_; });
    if (ending_) return;
    const std::uint64_t up_to = wanted_;
    lock.unlock();
    Result<void> answer = question_();
    lock.lock();
    answer_ = std::move(answer);
    answered_ = up_to;
    changed_.notify_all();
  }
}

}  // namespace keyhold::app

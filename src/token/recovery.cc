#include "token/recovery.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/log.h"

namespace keyhold::token {
namespace {

constexpr std::chrono::milliseconds kTick{1000};

/// Between half of `time` and all of it, so that nodes that lost one token do not return in step.
std::chrono::milliseconds jittered(std::chrono::milliseconds time, Random& random) {
  std::array<std::uint8_t, 4> bytes{};
  random.fill(bytes);
  std::uint32_t number;
  std::memcpy(&number, bytes.data(), sizeof number);
  const std::int64_t half = time.count() / 2;
  return std::chrono::milliseconds(time.count() - (half == 0 ? 0 : number % (half + 1)));
}

}  // namespace

Recovery::Recovery(CallGate& gate, const Profile& profile, Random& random, Actions actions)
    : gate_(gate), profile_(profile), random_(random), actions_(std::move(actions)) {}

Recovery::~Recovery() { stop(); }

void Recovery::start() {
  thread_ = std::thread([this] { run(); });
}

void Recovery::start_without_token(std::string_view why) {
  {
    std::lock_guard lock(mutex_);
    if (take(BreakerEvent::kTokenLost) == BreakerStep::kShut) shut(Trouble::kAbsent, why);
  }
  start();
}

void Recovery::stop() {
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) thread_.join();
}

BreakerStep Recovery::take(BreakerEvent event) {
  const BreakerState before = breaker_.state();
  const BreakerStep step = breaker_.take(event);
  if (breaker_.state() != before) {
    in_state_since_ = std::chrono::steady_clock::now();
    if (before == BreakerState::kClosed) ++times_opened_;
  }
  return step;
}

void Recovery::note(Trouble trouble, std::string_view what) {
  last_trouble_ = trouble;
  last_error_ = what;
}

void Recovery::shut(Trouble trouble, std::string_view what) {
  gate_.close();
  note(trouble, what);
  log::error("token: gone, calls are refused until it is back: " + last_error_);
  changed_.notify_all();
}

void Recovery::give_up() {
  given_up_ = true;
  log::error("token: not tried again, so that nobody locks it; restart with the right PIN");
}

void Recovery::report(std::uint64_t recoveries, BreakerEvent event, Trouble trouble,
                      std::string_view what) {
  // A caller's junk must not cost a lock.
  if (breaker_row(breaker_.state(), event).step == BreakerStep::kNothing) return;
  std::lock_guard lock(mutex_);
  if (ending_ || recoveries != done_.load()) return;
  switch (take(event)) {
    case BreakerStep::kShut:
      shut(trouble, what);
      break;
    case BreakerStep::kGiveUp:
      shut(trouble, what);
      give_up();
      break;
    case BreakerStep::kNothing:
    case BreakerStep::kTry:
    case BreakerStep::kPause:
    case BreakerStep::kAdmit:
      break;
  }
}

TokenHealth Recovery::health() const {
  TokenHealth health;
  health.calls_inside = gate_.inside();
  health.hung_calls = gate_.hanging(profile_.call_timeout);
  const bool lost_for_good = gate_.hanging(profile_.restart_after_hang) != 0;
  std::lock_guard lock(mutex_);
  health.breaker = breaker_.state();
  health.in_state = std::chrono::duration_cast<std::chrono::milliseconds>(
      std::chrono::steady_clock::now() - in_state_since_);
  health.last_trouble = last_trouble_;
  health.last_error = last_error_;
  health.recoveries = done_.load();
  health.failed_trials = failed_trials_;
  health.times_opened = times_opened_;
  const bool trial_hangs =
      health.breaker == BreakerState::kHalfOpen && health.in_state > profile_.restart_after_hang;
  if (lost_for_good || trial_hangs) {
    health.readiness = Readiness::kStuck;
  } else if (given_up_) {
    health.readiness = Readiness::kGivenUp;
  } else if (health.breaker != BreakerState::kClosed) {
    health.readiness = Readiness::kRecovering;
  }
  return health;
}

Available Recovery::wait_until_available(std::chrono::milliseconds patience) const {
  std::unique_lock lock(mutex_);
  const bool there = changed_.wait_for(
      lock, patience, [this] { return breaker_.state() == BreakerState::kClosed; });
  return there ? Available::kYes : Available::kNo;
}

bool Recovery::wait(std::unique_lock<std::mutex>& lock, std::chrono::milliseconds time) {
  changed_.wait_for(lock, time, [this] { return ending_; });
  return !ending_;
}

void Recovery::run() {
  const auto look =
      std::min(kTick, std::max(profile_.call_timeout / 4, std::chrono::milliseconds(1)));
  auto ticked = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  const auto shut_now = [this] { return breaker_.state() != BreakerState::kClosed; };
  while (!ending_) {
    changed_.wait_for(lock, look, [&] { return ending_ || shut_now(); });
    if (ending_) return;
    if (!shut_now() && gate_.hanging(profile_.call_timeout) != 0 &&
        take(BreakerEvent::kCallHangs) == BreakerStep::kShut) {
      shut(Trouble::kHungCall, "a call has not come back in time");
    }
    if (shut_now()) {
      lock.unlock();
      recover();
      lock.lock();
    } else if (const auto now = std::chrono::steady_clock::now(); now - ticked >= kTick) {
      ticked = now;
      lock.unlock();
      actions_.tick();
      lock.lock();
    }
  }
}

void Recovery::recover() {
  auto pause = profile_.backoff_first;
  for (;;) {
    // A thread inside cannot be called back, and finalising under it would end the process.
    while (gate_.drain(kTick) == CallGate::Drained::kNo) {
      std::unique_lock lock(mutex_);
      if (ending_) return;
    }
    {
      std::unique_lock lock(mutex_);
      if (given_up_) changed_.wait(lock, [this] { return ending_; });
      if (ending_ || take(BreakerEvent::kTrialDue) != BreakerStep::kTry) return;
    }
    const auto restarted = actions_.restart();
    std::unique_lock lock(mutex_);
    if (restarted && take(BreakerEvent::kTrialSucceeded) == BreakerStep::kAdmit) {
      done_.fetch_add(1);
      gate_.open();
      log::warning("token: back");
      changed_.notify_all();
      return;
    }
    ++failed_trials_;
    const Error& error = restarted.error();
    const std::string why(error.detail().empty() ? error.message() : error.detail());
    log::error("token: not back: " + why);
    if (!actions_.may_try_again()) {
      take(BreakerEvent::kPinRefused);
      note(Trouble::kPinRefused, why);
      give_up();
      changed_.wait(lock, [this] { return ending_; });
      return;
    }
    take(BreakerEvent::kTrialFailed);
    last_error_ = why;
    if (!wait(lock, jittered(pause, random_))) return;
    pause = std::min(pause * 2, profile_.backoff_last);
  }
}

}  // namespace keyhold::token

// The one owner of recovery: a thread that brings a token back.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "base/random.h"
#include "base/result.h"
#include "token/breaker.h"
#include "token/call_gate.h"
#include "token/profile.h"
#include "token/token_health.h"

namespace keyhold::token {

/// Owns the breaker. Opens it when it is told that the token is gone, or sees a call that hangs;
/// waits until nobody is inside, tries to restart the token, and closes it again. Waits between
/// trials, doubling from the profile's backoff_first to backoff_last, with jitter.
///
/// A call that does not come back is waited for without end, since initialising the module under it
/// would end the process; health() says when only a restart of the process helps.
class Recovery {
 public:
  struct Actions {
    /// Brings the token back; nobody is inside the gate meanwhile.
    std::function<Result<void>()> restart;
    /// Whether another attempt may be made after a failed one: not when the PIN was refused.
    std::function<bool()> may_try_again;
    /// Called every second or so while the gate is open: housekeeping.
    std::function<void()> tick;
  };

  Recovery(CallGate& gate, const Profile& profile, Random& random, Actions actions);
  ~Recovery();
  Recovery(const Recovery&) = delete;
  Recovery& operator=(const Recovery&) = delete;

  /// Starts the thread with a token that is there. Apart from the constructor, so that `tick` finds
  /// its Recovery in place.
  void start();
  /// Starts the thread with a token that was not there, for the reason `why`: it is tried for.
  void start_without_token(std::string_view why);
  /// Ends it, once no restart is running; nothing is recovered from then on.
  void stop();

  /// What was seen while `recoveries` were done(); old news are ignored.
  void report(std::uint64_t recoveries, BreakerEvent event, Trouble trouble, std::string_view what);

  /// How often the token was brought back.
  std::uint64_t done() const { return done_.load(); }

  TokenHealth health() const;

  /// Waits until the token is there, for `patience` at most; whether it is.
  Available wait_until_available(std::chrono::milliseconds patience) const;

 private:
  using Moment = std::chrono::steady_clock::time_point;

  void run();
  void recover();
  /// Under the mutex.
  BreakerStep take(BreakerEvent event);
  void note(Trouble trouble, std::string_view what);
  void shut(Trouble trouble, std::string_view what);
  void give_up();
  /// Waits; false when the end has come.
  bool wait(std::unique_lock<std::mutex>& lock, std::chrono::milliseconds time);

  CallGate& gate_;
  const Profile profile_;
  Random& random_;
  const Actions actions_;
  Breaker breaker_{BreakerState::kClosed};
  std::atomic<std::uint64_t> done_{0};
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  // Guarded by mutex_:
  bool ending_ = false;
  bool given_up_ = false;
  Moment in_state_since_ = std::chrono::steady_clock::now();
  Trouble last_trouble_ = Trouble::kNone;
  std::string last_error_;
  std::uint64_t failed_trials_ = 0;
  std::uint64_t times_opened_ = 0;
  std::thread thread_;
};

}  // namespace keyhold::token

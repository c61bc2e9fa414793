// The one owner of recovery: a thread that brings a token back.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "base/random.h"
#include "base/result.h"
#include "token/call_gate.h"
#include "token/profile.h"

namespace keyhold::token {

/// Closes the gate when it is told that the token is gone, or sees a call that hangs; waits until
/// nobody is inside, restarts the token, and opens the gate again. Waits between attempts, doubling
/// from the profile's backoff_first to backoff_last, with jitter.
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

  /// Starts the thread. Apart from the constructor, so that `tick` finds its Recovery in place.
  void start();
  /// Ends it, once no restart is running; nothing is recovered from then on.
  void stop();

  /// The token is gone, says an answer seen while `recoveries` were done(); old news are ignored.
  void report(std::uint64_t recoveries, std::string_view what);

  /// How often the token was brought back.
  std::uint64_t done() const { return done_.load(); }

 private:
  void run();
  void recover();
  /// Waits; false when the end has come.
  bool wait(std::unique_lock<std::mutex>& lock, std::chrono::milliseconds time);

  CallGate& gate_;
  const Profile profile_;
  Random& random_;
  const Actions actions_;
  std::atomic<std::uint64_t> done_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
  bool wanted_ = false;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace keyhold::token

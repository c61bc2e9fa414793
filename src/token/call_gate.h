// Who is inside the token: bounds the calls that are there at once, sees those that hang, and lets
// recovery wait until nobody is left, because C_Finalize under a running call crashes modules.
//
// A call costs two atomic writes to a cache line of its own; threads share nothing while there is
// room.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <utility>
#include <vector>

#include "base/result.h"

namespace keyhold::token {

class CallGate {
 public:
  /// `places`: how many calls may be inside at once.
  explicit CallGate(std::size_t places);

  /// A place inside, given back when this dies. It must not outlive the gate.
  class Call {
   public:
    Call(Call&& other) noexcept
        : gate_(std::exchange(other.gate_, nullptr)), place_(other.place_) {}
    Call& operator=(Call&&) = delete;
    ~Call() {
      if (gate_ != nullptr) gate_->leave(place_);
    }

   private:
    friend class CallGate;
    Call(CallGate* gate, std::size_t place) : gate_(gate), place_(place) {}
    CallGate* gate_;
    std::size_t place_;
  };

  /// Takes a place, waiting up to `patience` while all are taken (kDependencyTimeout after that).
  /// kKeyUnavailable at once while the gate is closed. A thread that holds a Call must not enter
  /// again. `allowance`: how much longer than others' this call may take before it hangs.
  Result<Call> enter(std::chrono::milliseconds patience,
                     std::chrono::milliseconds allowance = std::chrono::milliseconds(0));

  /// Lets nobody in from now on; those inside stay.
  void close();
  void open();

  /// Waits up to `patience` until nobody is inside; whether that came to be.
  enum class Drained : std::uint8_t { kYes, kNo };
  Drained drain(std::chrono::milliseconds patience);

  /// How many calls have been inside for longer than `limit`, their allowance added.
  std::size_t hanging(std::chrono::milliseconds limit) const;
  /// How many are inside now.
  std::size_t inside() const;

 private:
  struct alignas(64) Place {
    /// Steady nanoseconds at which it was taken, or an allowance later; 0: free.
    std::atomic<std::int64_t> since{0};
  };

  /// A free place, or places_.size().
  std::size_t claim(std::chrono::milliseconds allowance);
  void leave(std::size_t place);

  std::vector<Place> places_;
  std::atomic<bool> closed_{false};
  std::atomic<std::size_t> waiting_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
};

}  // namespace keyhold::token

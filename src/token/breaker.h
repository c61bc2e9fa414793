// The breaker before a token: whether calls may go in, and what becomes of that when something
// happens. One table of state and event.
#pragma once

#include <atomic>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace keyhold::token {

enum class BreakerState : std::uint8_t {
  kClosed,    ///< calls go through to the token
  kOpen,      ///< calls are refused at once; the next attempt to bring the token back is waited for
  kHalfOpen,  ///< calls are refused still; recovery alone tries the token
};

enum class BreakerEvent : std::uint8_t {
  kBadInput,        ///< what a caller sent was refused: a ciphertext, a signature, a parameter
  kTokenLost,       ///< an answer, or a use of known answer, says that the token is gone
  kCallHangs,       ///< a call has been inside for longer than the profile's call_timeout
  kTrialDue,        ///< nobody is inside any more, and the pause after the last trial is over
  kTrialSucceeded,  ///< the module was initialised again, and the token computes what it should
  kTrialFailed,
  kPinRefused,  ///< which is not tried again: the third wrong PIN may lock a token
};

/// What the owner of the breaker does about it.
enum class BreakerStep : std::uint8_t {
  kNothing,
  kShut,    ///< let nobody in, and begin to recover
  kTry,     ///< initialise the module again and try the token
  kPause,   ///< wait before the next trial, longer each time
  kAdmit,   ///< let callers in
  kGiveUp,  ///< try nothing more until the process is started anew
};

struct BreakerRow {
  BreakerState state;
  BreakerEvent event;
  BreakerState next;
  BreakerStep step;
};

/// The whole table: a row for each state and event, in their order.
std::span<const BreakerRow> breaker_table();
const BreakerRow& breaker_row(BreakerState state, BreakerEvent event);

std::string_view to_string(BreakerState state);
std::string_view to_string(BreakerEvent event);
std::string_view to_string(BreakerStep step);

/// The table in print, a line for each row.
std::string print_breaker_table();

/// The state there is now. One thread at a time may take events; any may ask for the state.
class Breaker {
 public:
  explicit Breaker(BreakerState state) : state_(state) {}

  BreakerState state() const { return state_.load(std::memory_order_acquire); }

  BreakerStep take(BreakerEvent event) {
    const BreakerRow& row = breaker_row(state(), event);
    state_.store(row.next, std::memory_order_release);
    return row.step;
  }

 private:
  std::atomic<BreakerState> state_;
};

}  // namespace keyhold::token

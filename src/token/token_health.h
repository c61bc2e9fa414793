// How a token is, for whoever decides about readiness, metrics and the process's restart.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "token/breaker.h"

namespace keyhold::token {

enum class Readiness : std::uint8_t {
  kReady,       ///< calls go through
  kRecovering,  ///< calls are refused; the token is being brought back
  /// A call, or an attempt to recover, has not come back for the profile's restart_after_hang. A
  /// thread inside a module can be neither called back nor ended, so only a new process helps: the
  /// supervisor's watchdog should not be answered any longer.
  kStuck,
  kGivenUp,  ///< the PIN was refused, and is not tried again: an operator must act
};

/// What is done about a token that is not there when the process starts.
enum class WhenAbsent : std::uint8_t { kRefuse, kWait };

enum class Available : std::uint8_t { kNo, kYes };

/// Why the token was last lost.
enum class Trouble : std::uint8_t {
  kNone,
  kAbsent,       ///< it was not there when the process started
  kGone,         ///< an answer said so
  kWrongAnswer,  ///< a use of known answer came out differently, or could not be made
  kHungCall,
  kPinRefused,
};

std::string_view to_string(Readiness readiness);
std::string_view to_string(Trouble trouble);

struct TokenHealth {
  Readiness readiness = Readiness::kReady;
  BreakerState breaker = BreakerState::kClosed;
  /// How long the breaker has been in this state.
  std::chrono::milliseconds in_state{0};
  Trouble last_trouble = Trouble::kNone;
  /// The words that came with it, such as "encrypting: C_EncryptInit: CKR_DEVICE_ERROR
  /// (0x00000030)". Holds no secret.
  std::string last_error;
  std::size_t calls_inside = 0;
  /// Those of them that are beyond the profile's call_timeout.
  std::size_t hung_calls = 0;
  std::uint64_t recoveries = 0;     ///< how often the token was brought back
  std::uint64_t failed_trials = 0;  ///< in the life of the process
  std::uint64_t times_opened = 0;   ///< how often the breaker has opened
};

}  // namespace keyhold::token

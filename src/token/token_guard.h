// What stands before every use of the token: a place inside, and the judgement of what failed
// there.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string_view>

#include "base/key_spec.h"
#include "base/random.h"
#include "base/result.h"
#include "token/call_gate.h"
#include "token/message_key.h"
#include "token/profile.h"
#include "token/recovery.h"
#include "token/token_health.h"
#include "token/token_link.h"

namespace keyhold::token {

/// A place inside the token, and how often the token had been recovered when it was taken: an error
/// seen before the last recovery says nothing of the token now.
struct Inside {
  CallGate::Call call;
  std::uint64_t recoveries;
};

/// Whether a failure of this kind says something of the token's health: generating fails on a full
/// disk too, which initialising the module does not empty.
enum class Repeatable : std::uint8_t { kYes, kNo };

/// Tells a caller's bad input, trouble of one object and a lost token apart, and has a lost token
/// recovered. Its health key is a key of known answer that costs no login and no object.
class TokenGuard {
 public:
  struct Actions {
    /// Forgets every key and handle, before the module is initialised again.
    std::function<void()> forget;
    /// Looks at the token and takes stock of its objects, after that.
    std::function<Result<void>()> take_stock;
    /// Called every second or so from inside the token.
    std::function<void()> tick;
  };

  TokenGuard(TokenLink& link, Random& random, Actions actions);

  /// Brings the token up, and from then on recovers what is lost. kWait: a token that is away is
  /// waited for, and what fails otherwise is an error all the same.
  Result<void> start(WhenAbsent when_absent);
  /// Recovers nothing from then on, and lets the health key go.
  void stop();

  /// Takes a place inside. `generation`: of what the call makes, which may take its time.
  Result<Inside> enter(Generation generation = Generation::kQuick);

  /// The error for a call that failed while doing `what`.
  Error fail(const Inside& inside, const pkcs11::Error& error, std::string_view what,
             Repeatable repeatable = Repeatable::kYes);
  /// The error for a token that is gone, which is reported to recovery.
  Error lost(const Inside& inside, std::string_view what);
  /// The error for an object that a search does not find; `was_there`: it did once.
  Error missing(const Inside& inside, const ObjectName& name, bool was_there);
  /// Whether the token answers and computes what it should, so that what it just refused was not
  /// its own trouble. Recovers nothing.
  bool is_well();
  /// A call has succeeded: earlier failures were not the token's.
  void no_doubt() {
    if (doubts_.load(std::memory_order_relaxed) != 0) doubts_ = 0;
    if (sessions_lost_.load(std::memory_order_relaxed) != 0) forget_lost_sessions();
  }

  /// Whether the token answers, is logged in to and computes what it should.
  Result<void> check();

  std::uint64_t recoveries() const { return recovery_.done(); }
  TokenHealth health() const { return recovery_.health(); }
  Available wait_until_available(std::chrono::milliseconds patience) const {
    return recovery_.wait_until_available(patience);
  }

 private:
  Result<void> restart();
  Error report(const Inside& inside, BreakerEvent event, Trouble trouble, std::string_view what);
  void tick();
  /// Counts a call that lost even a fresh session; whether only initialising the module is left.
  bool sessions_stay_lost(const Inside& inside);
  void forget_lost_sessions();
  bool may_restart();
  Result<void> make_health_key();
  Result<void> prove_messages();
  void forget_health_key();
  /// Whether the health key computes what it should.
  pkcs11::Result<Proof> prove_health();

  TokenLink& link_;
  const Actions actions_;
  std::mutex health_mutex_;
  std::optional<SessionObject> health_key_;
  Bytes health_answer_;
  std::atomic<int> doubts_{0};  ///< failures of a token that seemed well, since its last success
  std::atomic<int> sessions_lost_{0};  ///< even fresh ones, lately
  std::atomic<std::int64_t> session_lost_at_{0};
  std::atomic<std::int64_t> doubtful_restart_at_{0};
  CallGate gate_;
  Recovery recovery_;
};

}  // namespace keyhold::token

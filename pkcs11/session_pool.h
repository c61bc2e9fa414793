// Sessions to lend, and the login they depend on.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "pkcs11/owner_session.h"
#include "pkcs11/secret.h"
#include "pkcs11/session.h"

namespace keyhold::pkcs11 {

struct PoolOptions {
  /// How many sessions may be lent at once. One more is parked to hold the login, and each
  /// OwnerSession is one beside these.
  std::size_t max_sessions = 16;
  /// How long lease() waits for a session, be it for another thread's or for the token's
  /// CKR_SESSION_COUNT to pass.
  std::chrono::milliseconds wait{2000};
  Access access = Access::kReadWrite;
  /// Between two sessions that are opened; some tokens refuse those that come faster.
  std::chrono::milliseconds open_interval{0};
  /// Fetches the user PIN each time a login is needed, so that the pool need not keep it. Without
  /// one the pool never logs in.
  std::function<Result<SecretBytes>()> pin;
};

class SessionPool;

/// A session on loan; goes back when destroyed.
class SessionLease {
 public:
  SessionLease(SessionLease&& other) noexcept
      : pool_(std::exchange(other.pool_, nullptr)),
        slot_(other.slot_),
        session_(other.session_),
        opened_(other.opened_) {}
  SessionLease& operator=(SessionLease&&) = delete;
  SessionLease(const SessionLease&) = delete;
  SessionLease& operator=(const SessionLease&) = delete;
  ~SessionLease();

  Session& operator*() const { return *session_; }
  Session* operator->() const { return session_; }

  /// When the session was opened: what it answers may be news of long ago.
  enum class Opened : std::uint8_t { kBefore, kForThisLoan };
  Opened opened() const { return opened_; }

 private:
  friend class SessionPool;
  SessionLease(SessionPool& pool, std::size_t slot, Session& session, Opened opened)
      : pool_(&pool), slot_(slot), session_(&session), opened_(opened) {}

  SessionPool* pool_;
  std::size_t slot_;
  Session* session_;
  Opened opened_;
};

/// Lends a token's sessions, each to one lease at a time. Safe from many threads, and without a
/// shared lock as long as sessions suffice: a thread asks first for the one it had last.
///
/// Logs in before the first loan, once per token and generation of the module; one session stays
/// parked, since closing the last one would log out. A PIN the token has refused is never tried
/// again until forget_refused_pin(): the third wrong one may lock a token. After an answer that can
/// mean a lost login (CKR_USER_NOT_LOGGED_IN, a stale handle) the next loan looks at the parked
/// session and logs in again if need be, which makes older object handles stale.
///
/// Broken sessions are closed, sessions of an older generation dropped without a call; either is
/// replaced at the next loan. All leases must be back before the pool is destroyed.
class SessionPool {
 public:
  SessionPool(Module& module, SlotId slot, PoolOptions options);
  SessionPool(const SessionPool&) = delete;
  SessionPool& operator=(const SessionPool&) = delete;
  ~SessionPool();

  /// A session, logged in. CKR_SESSION_COUNT if none came free in time, CKR_FUNCTION_CANCELED at
  /// once while suspended, or what opening or logging in answered.
  Result<SessionLease> lease();

  /// A further session of its own, logged in, to own session objects.
  Result<std::unique_ptr<OwnerSession>> open_owner();

  /// Lets a refused PIN be tried once more: an operator has changed something.
  void forget_refused_pin();

  /// The slot of the token, where the module has moved it (after reinitialize()). Only while
  /// suspended.
  void move_to_slot(SlotId slot);

  /// While it lives, the pool lends nothing and no thread is inside a call on one of its leases:
  /// the module may be re-initialised, as far as this pool and no OwnerSession is concerned.
  class Suspension {
   public:
    Suspension(Suspension&& other) noexcept : pool_(std::exchange(other.pool_, nullptr)) {}
    Suspension& operator=(Suspension&&) = delete;
    Suspension(const Suspension&) = delete;
    Suspension& operator=(const Suspension&) = delete;
    ~Suspension();

   private:
    friend class SessionPool;
    explicit Suspension(SessionPool& pool) : pool_(&pool) {}
    SessionPool* pool_;
  };
  /// Waits until all leases are back, for `wait` at most: CKR_FUNCTION_FAILED then (a call hangs,
  /// or the pool is suspended already), and the pool lends as before. Not for a thread that holds a
  /// lease.
  Result<Suspension> suspend(std::chrono::milliseconds wait);

  /// How many sessions are open in the slots now, lent or not; the parked one is not counted.
  std::size_t open_sessions() const;

 private:
  friend class SessionLease;
  using Deadline = std::chrono::steady_clock::time_point;

  // Whoever has turned `claimed` from false to true alone may touch `session`. `open` tells others
  // whether there is a session, as a hint.
  struct alignas(64) Slot {
    std::atomic<bool> claimed{false};
    std::atomic<bool> open{false};
    std::optional<Session> session;
  };
  enum class Wanted : std::uint8_t { kOpen, kAny };

  bool claim(std::size_t index);
  std::optional<std::size_t> claim_any(Wanted wanted);
  void release(std::size_t index);
  void give_back(std::size_t index);
  void wake_waiters();
  // Tries `claim` at each change, until it answers something that is true or time is up.
  template <typename Claim>
  auto wait_for(Deadline until, Claim claim) -> decltype(claim());
  Result<Session> open_session();
  Result<SessionLease::Opened> prepare(Slot& slot);
  Result<void> ensure_login();
  Result<void> log_in_again();

  Module& module_;
  std::atomic<SlotId> slot_id_;
  const PoolOptions options_;
  const std::uint64_t identity_;
  std::vector<Slot> slots_;

  std::atomic<bool> suspended_{false};
  std::atomic<std::size_t> waiting_{0};
  std::mutex wait_mutex_;
  std::condition_variable changed_;

  std::mutex turn_mutex_;
  Deadline next_turn_{};  ///< when the next session may be opened; guarded by turn_mutex_

  std::atomic<std::uint64_t> logged_in_generation_{0};  ///< of the module; 0: must be looked at
  std::mutex login_mutex_;
  // Guarded by login_mutex_:
  std::optional<Session> parked_;
  std::uint64_t last_login_generation_ = 0;
  std::optional<Error> refused_;
};

}  // namespace keyhold::pkcs11

#include "pkcs11/session_pool.h"

#include <algorithm>
#include <thread>

namespace keyhold::pkcs11 {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// How long a token that has no session left is given before it is asked again.
constexpr milliseconds kTokenFullPause{10};

std::uint64_t next_identity() {
  static std::atomic<std::uint64_t> next{1};
  return next.fetch_add(1, std::memory_order_relaxed);
}

// Which slot this thread had last, and of which pool. A thread that is new to a pool starts at a
// place of its own, so that threads do not all begin with the same slot.
struct Hint {
  std::uint64_t pool = 0;
  std::size_t slot = 0;
};
thread_local Hint hint;

std::size_t thread_number() {
  static std::atomic<std::size_t> next{0};
  thread_local const std::size_t number = next.fetch_add(1, std::memory_order_relaxed);
  return number;
}

bool is_user_state(CK_STATE state) {
  return state == CKS_RO_USER_FUNCTIONS || state == CKS_RW_USER_FUNCTIONS;
}

}  // namespace

SessionLease::~SessionLease() {
  if (pool_ != nullptr) pool_->give_back(slot_);
}

SessionPool::SessionPool(Module& module, SlotId slot, PoolOptions options)
    : module_(module),
      slot_id_(slot),
      options_(std::move(options)),
      identity_(next_identity()),
      slots_(std::max<std::size_t>(options_.max_sessions, 1)) {}

SessionPool::~SessionPool() {
  // The parked session goes last: with it goes the login.
  for (Slot& slot : slots_) slot.session.reset();
  parked_.reset();
}

bool SessionPool::claim(std::size_t index) {
  Slot& slot = slots_[index];
  return !slot.claimed.load(std::memory_order_relaxed) &&
         !slot.claimed.exchange(true, std::memory_order_seq_cst);
}

std::optional<std::size_t> SessionPool::claim_any(Wanted wanted) {
  const std::size_t start = thread_number() % slots_.size();
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    const std::size_t index = (start + i) % slots_.size();
    if (wanted == Wanted::kOpen && !slots_[index].open.load(std::memory_order_relaxed)) continue;
    if (claim(index)) return index;
  }
  return std::nullopt;
}

void SessionPool::release(std::size_t index) {
  // Sequentially consistent with wait_for(): either the waiter sees the slot free, or this thread
  // sees the waiter.
  slots_[index].claimed.store(false, std::memory_order_seq_cst);
  if (waiting_.load(std::memory_order_seq_cst) != 0) wake_waiters();
}

void SessionPool::wake_waiters() {
  { const std::lock_guard guard(wait_mutex_); }
  changed_.notify_all();
}

void SessionPool::give_back(std::size_t index) {
  Slot& slot = slots_[index];
  if (slot.session) {
    if (slot.session->login_suspect()) {
      logged_in_generation_.store(0, std::memory_order_release);
      slot.session->clear_login_suspect();
    }
    if (slot.session->broken() || slot.session->stale()) slot.session.reset();
  }
  slot.open.store(slot.session.has_value(), std::memory_order_relaxed);
  release(index);
}

template <typename Claim>
auto SessionPool::wait_for(Deadline until, Claim claim) -> decltype(claim()) {
  std::unique_lock lock(wait_mutex_);
  waiting_.fetch_add(1, std::memory_order_seq_cst);
  auto claimed = claim();
  while (!claimed && changed_.wait_until(lock, until) != std::cv_status::timeout) {
    claimed = claim();
  }
  if (!claimed) claimed = claim();
  waiting_.fetch_sub(1, std::memory_order_seq_cst);
  return claimed;
}

Result<SessionLease> SessionPool::lease() {
  constexpr const char* kName = "SessionPool::lease";
  std::optional<std::size_t> index;
  if (hint.pool == identity_ && !suspended_.load(std::memory_order_seq_cst) && claim(hint.slot)) {
    index = hint.slot;
  }
  std::optional<Deadline> until;
  for (;;) {
    // Before waiting as well as after: a suspended pool answers at once.
    if (!index && !suspended_.load(std::memory_order_seq_cst)) {
      index = claim_any(Wanted::kOpen);
      if (!index) index = claim_any(Wanted::kAny);
    }
    if (!index) {
      if (!until) until = steady_clock::now() + options_.wait;
      bool suspended = false;
      index = wait_for(*until, [&]() -> std::optional<std::size_t> {
        suspended = suspended_.load(std::memory_order_seq_cst);
        // Ends the wait with a slot that does not exist.
        return suspended ? slots_.size() : claim_any(Wanted::kAny);
      });
      if (suspended) return Error(CKR_FUNCTION_CANCELED, kName, "the pool is suspended");
      if (!index) return Error(CKR_SESSION_COUNT, kName, "no session came free in time");
    }

    Slot& slot = slots_[*index];
    auto prepared = prepare(slot);
    if (prepared) {
      hint = Hint{identity_, *index};
      return SessionLease(*this, *index, *slot.session, *prepared);
    }
    give_back(*index);
    index.reset();
    if (!prepared.error().sessions_exhausted()) return prepared.error();

    // The token has fewer sessions than the pool has slots. One that is open may come back; or the
    // token may have room again, when others let go of theirs.
    if (!until) until = steady_clock::now() + options_.wait;
    const Deadline now = steady_clock::now();
    if (now >= *until) return prepared.error();
    index = wait_for(std::min(*until, now + kTokenFullPause), [&]() -> std::optional<std::size_t> {
      if (suspended_.load(std::memory_order_seq_cst)) return std::nullopt;
      return claim_any(Wanted::kOpen);
    });
  }
}

Result<std::unique_ptr<OwnerSession>> SessionPool::open_owner() {
  // The lease keeps the pool from being suspended meanwhile, and has logged in.
  PKCS11_TRY_ASSIGN(const SessionLease lease, this->lease());
  PKCS11_TRY_ASSIGN(Session session, open_session());
  return std::make_unique<OwnerSession>(std::move(session));
}

Result<Session> SessionPool::open_session() {
  if (options_.open_interval.count() > 0) {
    // A turn is taken by who is awake for it, so that the next one is counted from there: on a busy
    // machine a thread wakes late. The lock is not held meanwhile, nor while the token answers.
    std::unique_lock guard(turn_mutex_);
    for (auto now = std::chrono::steady_clock::now(); now < next_turn_;
         now = std::chrono::steady_clock::now()) {
      const Deadline turn = next_turn_;
      guard.unlock();
      std::this_thread::sleep_until(turn);
      guard.lock();
    }
    next_turn_ = std::chrono::steady_clock::now() + options_.open_interval;
  }
  return Session::open(module_, slot_id_.load(), options_.access);
}

Result<SessionLease::Opened> SessionPool::prepare(Slot& slot) {
  PKCS11_TRY(ensure_login());
  if (slot.session && (slot.session->broken() || slot.session->stale())) slot.session.reset();
  if (slot.session) return SessionLease::Opened::kBefore;
  PKCS11_TRY_ASSIGN(Session session, open_session());
  slot.session.emplace(std::move(session));
  slot.open.store(true, std::memory_order_relaxed);
  return SessionLease::Opened::kForThisLoan;
}

Result<void> SessionPool::ensure_login() {
  if (!options_.pin) return {};
  if (logged_in_generation_.load(std::memory_order_acquire) == module_.generation()) [[likely]] {
    return {};
  }
  const std::lock_guard guard(login_mutex_);
  const std::uint64_t generation = module_.generation();
  if (logged_in_generation_.load(std::memory_order_acquire) == generation) return {};
  if (refused_) {
    return Error(refused_->rv(), refused_->function(), "refused before, and not tried again");
  }
  PKCS11_TRY(log_in_again());
  logged_in_generation_.store(generation, std::memory_order_release);
  return {};
}

Result<void> SessionPool::log_in_again() {
  if (parked_ && (parked_->broken() || parked_->stale())) parked_.reset();
  if (parked_) {
    auto info = parked_->info();
    if (info && is_user_state(info->state)) return {};
    if (!info) parked_.reset();
  }
  if (!parked_) {
    PKCS11_TRY_ASSIGN(Session session, open_session());
    parked_.emplace(std::move(session));
    PKCS11_TRY_ASSIGN(const CK_SESSION_INFO info, parked_->info());
    // Another user of the module has logged in, or the login outlived the lost session.
    if (is_user_state(info.state)) {
      last_login_generation_ = module_.generation();
      return {};
    }
  }
  PKCS11_TRY_ASSIGN(const SecretBytes pin, options_.pin());
  auto login = parked_->login(CKU_USER, pin);
  if (!login && login.error().rv() != CKR_USER_ALREADY_LOGGED_IN) {
    if (login.error().pin_refused()) refused_ = login.error();
    return login;
  }
  // A second login within one life of the module: the first one's private objects got new handles.
  if (login && last_login_generation_ == module_.generation()) module_.raise_object_generation();
  last_login_generation_ = module_.generation();
  return {};
}

void SessionPool::forget_refused_pin() {
  const std::lock_guard guard(login_mutex_);
  refused_.reset();
}

void SessionPool::move_to_slot(SlotId slot) {
  for (Slot& each : slots_) each.session.reset();
  const std::lock_guard guard(login_mutex_);
  parked_.reset();
  logged_in_generation_.store(0, std::memory_order_release);
  slot_id_.store(slot);
}

Result<SessionPool::Suspension> SessionPool::suspend(milliseconds wait) {
  constexpr const char* kName = "SessionPool::suspend";
  if (suspended_.exchange(true, std::memory_order_seq_cst)) {
    return Error(CKR_FUNCTION_FAILED, kName, "suspended already");
  }
  wake_waiters();
  const Deadline until = steady_clock::now() + wait;
  for (std::size_t index = 0; index < slots_.size(); ++index) {
    if (wait_for(until, [&] { return claim(index); })) continue;
    suspended_.store(false, std::memory_order_seq_cst);
    while (index-- > 0) release(index);
    return Error(CKR_FUNCTION_FAILED, kName, "a session did not come back in time");
  }
  return Suspension(*this);
}

SessionPool::Suspension::~Suspension() {
  if (pool_ == nullptr) return;
  pool_->suspended_.store(false, std::memory_order_seq_cst);
  for (std::size_t index = 0; index < pool_->slots_.size(); ++index) pool_->give_back(index);
}

std::size_t SessionPool::open_sessions() const {
  return static_cast<std::size_t>(std::ranges::count_if(
      slots_, [](const Slot& slot) { return slot.open.load(std::memory_order_relaxed); }));
}

}  // namespace keyhold::pkcs11

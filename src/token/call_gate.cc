#include "token/call_gate.h"

#include <algorithm>
#include <thread>

namespace keyhold::token {
namespace {

std::int64_t steady_now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// Where this thread looks for a place first: its own number, so that threads do not meet.
std::size_t thread_number() {
  static std::atomic<std::size_t> next{0};
  thread_local const std::size_t number = next.fetch_add(1, std::memory_order_relaxed);
  return number;
}

Error closed_error() {
  return Error(ErrorCode::kKeyUnavailable, "The key store is not available.",
               "the token is being recovered");
}

}  // namespace

CallGate::CallGate(std::size_t places) : places_(places) {}

// close() stores closed_ and then reads every place; a caller writes its place and then reads
// closed_. Both orders are sequentially consistent, so that one of the two sees the other.
std::size_t CallGate::claim(std::chrono::milliseconds allowance) {
  const std::size_t first = thread_number() % places_.size();
  const std::int64_t now =
      steady_now() + std::chrono::duration_cast<std::chrono::nanoseconds>(allowance).count();
  for (std::size_t i = 0; i < places_.size(); ++i) {
    const std::size_t place = (first + i) % places_.size();
    std::int64_t free = 0;
    if (places_[place].since.load() == 0 &&
        places_[place].since.compare_exchange_strong(free, now)) {
      return place;
    }
  }
  return places_.size();
}

Result<CallGate::Call> CallGate::enter(std::chrono::milliseconds patience,
                                       std::chrono::milliseconds allowance) {
  if (closed_.load()) return closed_error();
  std::size_t place = claim(allowance);
  if (place == places_.size()) {
    const auto deadline = std::chrono::steady_clock::now() + patience;
    std::unique_lock lock(mutex_);
    waiting_.fetch_add(1);
    while (!closed_.load() && (place = claim(allowance)) == places_.size()) {
      if (changed_.wait_until(lock, deadline) == std::cv_status::timeout) {
        place = claim(allowance);
        break;
      }
    }
    waiting_.fetch_sub(1);
    if (place == places_.size()) {
      if (closed_.load()) return closed_error();
      return Error(ErrorCode::kDependencyTimeout, "The key store is busy.",
                   "no place among the token's calls became free in time");
    }
  }
  Call call(this, place);
  if (closed_.load()) return closed_error();
  return call;
}

void CallGate::leave(std::size_t place) {
  places_[place].since.store(0);
  // A waiter raises waiting_ before it looks for a place, under the mutex; so either it sees this
  // place free or this sees it waiting.
  if (waiting_.load() != 0 || closed_.load()) {
    std::lock_guard lock(mutex_);
    changed_.notify_all();
  }
}

void CallGate::close() {
  closed_.store(true);
  std::lock_guard lock(mutex_);
  changed_.notify_all();
}

void CallGate::open() { closed_.store(false); }

CallGate::Drained CallGate::drain(std::chrono::milliseconds patience) {
  const auto empty = [this] {
    return std::all_of(places_.begin(), places_.end(),
                       [](const Place& place) { return place.since.load() == 0; });
  };
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, patience, empty) ? Drained::kYes : Drained::kNo;
}

std::size_t CallGate::inside() const {
  return static_cast<std::size_t>(std::count_if(
      places_.begin(), places_.end(),
      [](const Place& place) { return place.since.load(std::memory_order_relaxed) != 0; }));
}

std::size_t CallGate::hanging(std::chrono::milliseconds limit) const {
  const std::int64_t before =
      steady_now() - std::chrono::duration_cast<std::chrono::nanoseconds>(limit).count();
  return static_cast<std::size_t>(
      std::count_if(places_.begin(), places_.end(), [before](const Place& place) {
        const std::int64_t since = place.since.load(std::memory_order_relaxed);
        return since != 0 && since < before;
      }));
}

}  // namespace keyhold::token

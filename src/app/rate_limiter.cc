#include "app/rate_limiter.h"

#include <algorithm>
#include <functional>

namespace keyhold::app {

void RateLimiter::set(const RateLimit& limit) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  const std::int64_t interval =
      limit.requests_per_second == 0 ? 0 : kSecond / limit.requests_per_second;
  const std::int64_t burst = std::max<std::int64_t>(limit.burst, 1);
  allowance_.store(interval * (burst - 1), std::memory_order_relaxed);
  interval_.store(interval, std::memory_order_relaxed);
}

RateLimiter::Place& RateLimiter::place_of(std::uint64_t principal, std::int64_t now) {
  auto& places = sets_[principal % kSets].places;
  for (Place& place : places) {
    if (place.principal.load(std::memory_order_relaxed) == principal) return place;
  }
  for (Place& place : places) {
    if (place.full_at.load(std::memory_order_relaxed) > now) continue;
    // Two that take it at once share it for a moment, which costs one of them a few calls.
    place.principal.store(principal, std::memory_order_relaxed);
    return place;
  }
  // Errs for the callers: of those that are known, the one that has called least is forgotten.
  Place& least = *std::ranges::min_element(
      places, {}, [](const Place& place) { return place.full_at.load(std::memory_order_relaxed); });
  least.principal.store(principal, std::memory_order_relaxed);
  least.full_at.store(now, std::memory_order_relaxed);
  return least;
}

RateLimiter::Verdict RateLimiter::take(std::string_view principal, Moment moment) {
  const std::int64_t interval = interval_.load(std::memory_order_relaxed);
  if (interval == 0) return Verdict::kMay;
  const std::int64_t allowance = allowance_.load(std::memory_order_relaxed);
  const std::int64_t now =
      std::chrono::duration_cast<std::chrono::nanoseconds>(moment.time_since_epoch()).count();
  const std::uint64_t hash = std::max<std::uint64_t>(std::hash<std::string_view>{}(principal), 1);
  auto& full_at = place_of(hash, now).full_at;
  std::int64_t seen = full_at.load(std::memory_order_relaxed);
  for (;;) {
    const std::int64_t from = std::max(seen, now);
    if (from - now > allowance) return Verdict::kThrottled;
    if (full_at.compare_exchange_weak(seen, from + interval, std::memory_order_relaxed)) {
      return Verdict::kMay;
    }
  }
}

}  // namespace keyhold::app

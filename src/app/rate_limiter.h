// How often one principal may call: an option, decided after authentication.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <string_view>

namespace keyhold::app {

struct RateLimit {
  std::uint32_t requests_per_second = 0;  ///< of one principal; 0: as many as it likes
  std::uint32_t burst = 100;              ///< requests that may come at once after a pause
};

/// A token bucket for each principal, kept as the moment at which it will be full again (the
/// generic cell rate algorithm), so that a call costs one compare-and-swap on the principal's own
/// word. Memory is fixed: a bucket that is full holds nothing worth keeping, so its place goes to
/// whoever comes next. With more principals active at once than places, those that call
/// least are forgotten in between, and so held back less.
class RateLimiter {
 public:
  using Moment = std::chrono::steady_clock::time_point;

  explicit RateLimiter(const RateLimit& limit) { set(limit); }
  RateLimiter(const RateLimiter&) = delete;
  RateLimiter& operator=(const RateLimiter&) = delete;

  /// From now on, for everybody.
  void set(const RateLimit& limit);

  enum class Verdict : std::uint8_t { kMay, kThrottled };
  /// Counts a call of the principal.
  Verdict take(std::string_view principal, Moment now = std::chrono::steady_clock::now());

 private:
  struct Place {
    std::atomic<std::uint64_t> principal{0};  ///< a hash; 0: nobody's
    std::atomic<std::int64_t> full_at{0};     ///< steady nanoseconds
  };
  static constexpr std::size_t kSets = 2048;
  static constexpr std::size_t kPlacesOfSet = 4;
  struct alignas(64) Set {
    std::array<Place, kPlacesOfSet> places;
  };

  Place& place_of(std::uint64_t principal, std::int64_t now);

  std::atomic<std::int64_t> interval_{0};  ///< nanoseconds from one call to the next; 0: no limit
  std::atomic<std::int64_t> allowance_{0};
  std::array<Set, kSets> sets_;
};

}  // namespace keyhold::app

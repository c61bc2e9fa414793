#include "app/rate_limiter.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <thread>
#include <vector>

namespace keyhold::app {
namespace {

using std::chrono::milliseconds;
using Verdict = RateLimiter::Verdict;

const RateLimiter::Moment kStart{std::chrono::hours(1)};

int granted(RateLimiter& limiter, std::string_view principal, RateLimiter::Moment at, int calls) {
  int count = 0;
  for (int i = 0; i < calls; ++i) {
    if (limiter.take(principal, at) == Verdict::kMay) ++count;
  }
  return count;
}

TEST(RateLimits, WithoutOneEverybodyMayCall) {
  const auto limiter = std::make_unique<RateLimiter>(RateLimit{});
  EXPECT_EQ(granted(*limiter, "a", kStart, 10'000), 10'000);
}

TEST(RateLimits, GiveABurstAndThenTheRate) {
  const auto limiter = std::make_unique<RateLimiter>(RateLimit{10, 5});
  EXPECT_EQ(granted(*limiter, "a", kStart, 100), 5);
  EXPECT_EQ(granted(*limiter, "a", kStart + milliseconds(99), 100), 0);
  EXPECT_EQ(granted(*limiter, "a", kStart + milliseconds(100), 100), 1);
  EXPECT_EQ(granted(*limiter, "a", kStart + milliseconds(400), 100), 3);
  // A pause fills the bucket and no more.
  EXPECT_EQ(granted(*limiter, "a", kStart + std::chrono::hours(1), 100), 5);
}

TEST(RateLimits, AreEachPrincipalsOwn) {
  const auto limiter = std::make_unique<RateLimiter>(RateLimit{1, 1});
  EXPECT_EQ(granted(*limiter, "a", kStart, 10), 1);
  EXPECT_EQ(granted(*limiter, "b", kStart, 10), 1);
}

TEST(RateLimits, HoldForManyPrincipalsInFixedMemory) {
  const auto limiter = std::make_unique<RateLimiter>(RateLimit{1, 2});
  // More than there are places, one after another: each finds that of one whose bucket is full.
  RateLimiter::Moment at = kStart;
  for (int i = 0; i < 50'000; ++i, at += milliseconds(1)) {
    ASSERT_EQ(limiter->take("principal " + std::to_string(i), at), Verdict::kMay) << i;
  }
}

TEST(RateLimits, CanBeChanged) {
  const auto limiter = std::make_unique<RateLimiter>(RateLimit{1, 1});
  EXPECT_EQ(granted(*limiter, "a", kStart, 10), 1);
  limiter->set({1, 4});
  EXPECT_EQ(granted(*limiter, "a", kStart, 10), 3);
  limiter->set({});
  EXPECT_EQ(granted(*limiter, "a", kStart, 10), 10);
}

TEST(RateLimits, CountThreadsTogether) {
  const auto limiter = std::make_unique<RateLimiter>(RateLimit{1, 100});
  std::atomic<int> count{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] { count += granted(*limiter, "a", kStart, 1000); });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(count, 100);
}

}  // namespace
}  // namespace keyhold::app

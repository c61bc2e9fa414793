#include "app/call_metrics.h"

#include <gtest/gtest.h>

#include <numeric>
#include <thread>
#include <vector>

namespace keyhold::app {
namespace {

using std::chrono::microseconds;

TEST(CallMetricsCounts, CallsByOperationAndError) {
  CallMetrics metrics;
  metrics.note("Encrypt", std::nullopt, microseconds(10));
  metrics.note("Encrypt", std::nullopt, microseconds(51));
  metrics.note("Encrypt", ErrorCode::kDisabled, microseconds(50));
  metrics.note("NoSuchOperation", ErrorCode::kUnknownOperation, microseconds(1));
  const auto rows = metrics.read();
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].operation, "Encrypt");
  EXPECT_EQ(rows[0].succeeded, 2U);
  ASSERT_EQ(rows[0].failed.size(), 1U);
  EXPECT_EQ(rows[0].failed[0], (std::pair{ErrorCode::kDisabled, std::uint64_t{1}}));
  // At most 50 us, and at most 100.
  EXPECT_EQ(rows[0].times[0], 2U);
  EXPECT_EQ(rows[0].times[1], 1U);
  EXPECT_EQ(rows[0].nanoseconds, 111'000U);
  EXPECT_EQ(rows[1].operation, CallMetrics::kUnknown);
}

TEST(CallMetricsCounts, WhatEndedThreadsLeft) {
  CallMetrics metrics;
  constexpr int kThreads = 4;
  constexpr int kCalls = 1000;
  for (int round = 1; round <= 3; ++round) {
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        for (int call = 0; call < kCalls; ++call) {
          metrics.note("Decrypt", std::nullopt, std::chrono::seconds(100));
        }
      });
    }
    metrics.read();  // beside them
    for (auto& thread : threads) thread.join();
    const auto rows = metrics.read();
    ASSERT_EQ(rows.size(), 1U);
    EXPECT_EQ(rows[0].succeeded, static_cast<std::uint64_t>(kThreads * kCalls * round));
    EXPECT_EQ(rows[0].times.back(), rows[0].succeeded);
  }
}

}  // namespace
}  // namespace keyhold::app

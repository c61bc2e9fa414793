#include "token/call_gate.h"

#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <thread>

namespace keyhold::token {
namespace {

using std::chrono::milliseconds;

TEST(CallGateTest, LetsInAsManyAsThereArePlaces) {
  CallGate gate(2);
  const auto first = gate.enter(milliseconds(0));
  const auto second = gate.enter(milliseconds(0));
  ASSERT_TRUE(first && second);
  EXPECT_EQ(gate.enter(milliseconds(1)).error().code(), ErrorCode::kDependencyTimeout);
}

TEST(CallGateTest, WaitsForAPlaceThatComesFree) {
  CallGate gate(1);
  std::optional<CallGate::Call> inside;
  {
    auto entered = gate.enter(milliseconds(0));
    inside.emplace(std::move(*entered));
  }
  std::thread leaver([&] {
    std::this_thread::sleep_for(milliseconds(20));
    inside.reset();
  });
  EXPECT_TRUE(gate.enter(milliseconds(5000)));
  leaver.join();
}

TEST(CallGateTest, RefusesAtOnceWhileClosedAndWakesThoseThatWait) {
  CallGate gate(1);
  {
    const auto inside = gate.enter(milliseconds(0));
    std::thread closer([&] {
      std::this_thread::sleep_for(milliseconds(20));
      gate.close();
    });
    EXPECT_EQ(gate.enter(milliseconds(60'000)).error().code(), ErrorCode::kKeyUnavailable);
    closer.join();
  }
  EXPECT_EQ(gate.enter(milliseconds(60'000)).error().code(), ErrorCode::kKeyUnavailable);
  gate.open();
  EXPECT_TRUE(gate.enter(milliseconds(0)));
}

TEST(CallGateTest, DrainsOnlyWhenNobodyIsInside) {
  CallGate gate(4);
  std::optional<CallGate::Call> inside;
  {
    auto entered = gate.enter(milliseconds(0));
    inside.emplace(std::move(*entered));
  }
  gate.close();
  EXPECT_EQ(gate.drain(milliseconds(1)), CallGate::Drained::kNo);
  std::thread leaver([&] {
    std::this_thread::sleep_for(milliseconds(20));
    inside.reset();
  });
  EXPECT_EQ(gate.drain(milliseconds(5000)), CallGate::Drained::kYes);
  leaver.join();
}

TEST(CallGateTest, SeesCallsThatHang) {
  CallGate gate(4);
  const auto inside = gate.enter(milliseconds(0));
  EXPECT_EQ(gate.hanging(milliseconds(60'000)), 0U);
  std::this_thread::sleep_for(milliseconds(5));
  EXPECT_EQ(gate.hanging(milliseconds(1)), 1U);
}

TEST(CallGateTest, ACallWithAnAllowanceHangsThatMuchLater) {
  CallGate gate(4);
  const auto inside = gate.enter(milliseconds(0), milliseconds(60'000));
  std::this_thread::sleep_for(milliseconds(5));
  EXPECT_EQ(gate.hanging(milliseconds(1)), 0U);
  EXPECT_EQ(gate.inside(), 1U);
}

TEST(CallGateTest, NobodyIsInsideOnceItIsClosedAndDrained) {
  CallGate gate(3);
  std::atomic<int> inside{0};
  std::atomic<bool> ending{false};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      while (!ending) {
        const auto call = gate.enter(milliseconds(100));
        if (!call) continue;
        inside.fetch_add(1);
        inside.fetch_sub(1);
      }
    });
  }
  for (int round = 0; round < 200; ++round) {
    gate.close();
    ASSERT_EQ(gate.drain(milliseconds(10'000)), CallGate::Drained::kYes);
    EXPECT_EQ(inside.load(), 0);
    gate.open();
  }
  ending = true;
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace keyhold::token

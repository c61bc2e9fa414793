#include "base/per_thread.h"

#include <gtest/gtest.h>

#include <optional>
#include <thread>
#include <vector>

namespace keyhold {
namespace {

std::vector<int> all_of(PerThread<int>& values) {
  std::vector<int> seen;
  values.for_each([&](int value) { seen.push_back(value); });
  return seen;
}

TEST(PerThread, EachThreadHasAValueOfItsOwnThatIsVisited) {
  PerThread<int> values;
  values.here() = 1;
  std::thread([&] {
    values.here() = 2;
    EXPECT_EQ(all_of(values), (std::vector<int>{1, 2}));
  }).join();
  EXPECT_EQ(values.here(), 1);
}

TEST(PerThread, WhatAThreadLeftBehindIsVisitedOnceMore) {
  PerThread<int> values;
  std::thread([&] { values.here() = 2; }).join();
  EXPECT_EQ(all_of(values), std::vector<int>{2});
  EXPECT_EQ(all_of(values), std::vector<int>());
}

TEST(PerThread, ANewOneAtTheSameAddressBeginsAnew) {
  std::optional<PerThread<int>> values;
  values.emplace();
  values->here() = 1;
  values.emplace();
  EXPECT_EQ(values->here(), 0);
}

TEST(PerThread, SeveralDoNotMix) {
  PerThread<int> first;
  PerThread<int> second;
  first.here() = 1;
  second.here() = 2;
  EXPECT_EQ(first.here(), 1);
  EXPECT_EQ(second.here(), 2);
}

}  // namespace
}  // namespace keyhold

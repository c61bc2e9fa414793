#include "token/thread_memo.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <thread>

namespace keyhold::token {
namespace {

using Memo = ThreadMemo<int, const int>;

void remember(Memo& memo, int key, const std::shared_ptr<const int>& value) {
  memo.put(key, value, memo.epoch());
}

TEST(ThreadMemo, FindsWhatThisThreadPut) {
  Memo memo;
  const auto value = std::make_shared<const int>(7);
  EXPECT_EQ(memo.find(1), nullptr);
  remember(memo, 1, value);
  EXPECT_EQ(memo.find(1), value);
  EXPECT_EQ(memo.find(2), nullptr);
}

TEST(ThreadMemo, AnotherThreadHasItsOwn) {
  Memo memo;
  const auto value = std::make_shared<const int>(7);
  remember(memo, 1, value);
  std::thread([&] { EXPECT_EQ(memo.find(1), nullptr); }).join();
  EXPECT_EQ(memo.find(1), value);
}

TEST(ThreadMemo, DoesNotKeepAValueAlive) {
  Memo memo;
  auto value = std::make_shared<const int>(7);
  const std::weak_ptr<const int> watched = value;
  remember(memo, 1, value);
  value.reset();
  EXPECT_TRUE(watched.expired());
  EXPECT_EQ(memo.find(1), nullptr);
}

TEST(ThreadMemo, ForgettingReachesEveryThreadAlthoughTheValueIsStillInUse) {
  Memo memo;
  const auto value = std::make_shared<const int>(7);
  remember(memo, 1, value);
  std::thread([&] { memo.forget_all(); }).join();
  EXPECT_EQ(memo.find(1), nullptr);
  remember(memo, 1, value);
  EXPECT_EQ(memo.find(1), value);
}

TEST(ThreadMemo, AValueForgottenWhileItWasLookedUpIsNotRemembered) {
  Memo memo;
  const auto value = std::make_shared<const int>(7);
  const auto before = memo.epoch();
  memo.forget_all();
  memo.put(1, value, before);
  EXPECT_EQ(memo.find(1), nullptr);
}

TEST(ThreadMemo, SendsToTheSharedCacheNowAndThen) {
  Memo memo;
  const auto value = std::make_shared<const int>(7);
  remember(memo, 1, value);
  for (std::uint32_t i = 1; i < Memo::kHitsBetweenAsking; ++i) ASSERT_EQ(memo.find(1), value);
  EXPECT_EQ(memo.find(1), nullptr);
  EXPECT_EQ(memo.find(1), value);
}

TEST(ThreadMemo, KeysOnOnePlaceDisplaceEachOther) {
  Memo memo;
  const auto first = std::make_shared<const int>(1);
  const auto second = std::make_shared<const int>(2);
  const int same_place = 1 + static_cast<int>(Memo::kPlaces);
  remember(memo, 1, first);
  remember(memo, same_place, second);
  EXPECT_EQ(memo.find(1), nullptr);
  EXPECT_EQ(memo.find(same_place), second);
}

TEST(ThreadMemo, ANewOneAtTheSameAddressKnowsNothingOfTheOld) {
  const auto value = std::make_shared<const int>(7);
  std::optional<Memo> memo;
  memo.emplace();
  remember(*memo, 1, value);
  memo.emplace();
  EXPECT_EQ(memo->find(1), nullptr);
}

}  // namespace
}  // namespace keyhold::token

#include "token/sharded_lru.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace keyhold::token {
namespace {

/// Puts every key into one shard, so that the order of forgetting can be seen.
struct OneShard {
  std::size_t operator()(int key) const { return static_cast<std::size_t>(key); }
};
using Lru = ShardedLru<int, std::shared_ptr<std::string>, OneShard>;

std::shared_ptr<std::string> text(const char* value) {
  return std::make_shared<std::string>(value);
}

TEST(ShardedLruTest, ForgetsWhatWasUsedLongestAgo) {
  Lru lru(2 * Lru::kShards);
  lru.insert(1, text("one"));
  lru.insert(2, text("two"));
  ASSERT_TRUE(lru.find(1));
  lru.insert(3, text("three"));
  EXPECT_FALSE(lru.find(2));
  EXPECT_TRUE(lru.find(1));
  EXPECT_TRUE(lru.find(3));
  EXPECT_EQ(lru.size(), 2U);
}

TEST(ShardedLruTest, TheFirstOfTwoInsertionsStands) {
  Lru lru(64);
  EXPECT_EQ(*lru.insert(1, text("first")), "first");
  EXPECT_EQ(*lru.insert(1, text("second")), "first");
}

TEST(ShardedLruTest, ForgottenValuesAreLetGo) {
  Lru lru(Lru::kShards);
  const auto value = text("one");
  lru.insert(1, value);
  EXPECT_EQ(value.use_count(), 2);
  lru.insert(2, text("two"));
  EXPECT_EQ(value.use_count(), 1);
}

TEST(ShardedLruTest, ErasesByKeyAndByCondition) {
  Lru lru(64);
  for (int i = 0; i < 4; ++i) lru.insert(i, text("x"));
  lru.erase(0);
  lru.erase(17);
  lru.erase_if([](int key, const auto&) { return key == 2; });
  EXPECT_FALSE(lru.find(0));
  EXPECT_TRUE(lru.find(1));
  EXPECT_FALSE(lru.find(2));
  EXPECT_TRUE(lru.find(3));
}

}  // namespace
}  // namespace keyhold::token

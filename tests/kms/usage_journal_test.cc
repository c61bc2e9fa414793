#include "kms/usage_journal.h"

#include <gtest/gtest.h>

#include <thread>

#include "tests/kms/keys.h"

namespace keyhold::kms {
namespace {

store::UsageRecord used(const std::string& key, std::int64_t at) {
  return {key, "Encrypt", TimePoint(milliseconds(at)), "event-" + std::to_string(at), "request"};
}

TEST(UsageJournal, KeepsTheLatestUseOfEachKeyWhicheverThreadNotedIt) {
  UsageJournal journal;
  journal.load({used("a", 5), used("b", 5)});
  EXPECT_EQ(journal.last("a"), used("a", 5));
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&journal, i] {
      for (int j = 0; j < 100; ++j) journal.note(used("a", 10 + j * 8 + i));
    });
  }
  for (auto& thread : threads) thread.join();
  journal.note(used("b", 1));
  EXPECT_EQ(journal.last("a"), used("a", 10 + 99 * 8 + 7));
  EXPECT_EQ(journal.last("b"), used("b", 5));
  EXPECT_EQ(journal.last("c"), std::nullopt);
  journal.forget("a");
  EXPECT_EQ(journal.last("a"), std::nullopt);
}

}  // namespace
}  // namespace keyhold::kms

#include "base/snapshot.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace keyhold {
namespace {

/// Two numbers that belong together; `alive` counts the values there are.
struct Pair {
  Pair(int value, std::atomic<int>& counter) : first(value), second(value), alive(counter) {
    ++alive;
  }
  ~Pair() { --alive; }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
  int first;
  int second;
  std::atomic<int>& alive;
};

TEST(Snapshot, ShowsTheNewestValue) {
  Snapshot<int> snapshot(std::make_shared<const int>(1));
  EXPECT_EQ(snapshot.read(), 1);
  snapshot.publish(std::make_shared<const int>(2));
  EXPECT_EQ(snapshot.read(), 2);
  EXPECT_EQ(*snapshot.latest(), 2);
}

TEST(Snapshot, BeginsWithADefaultValue) { EXPECT_EQ(Snapshot<int>().read(), 0); }

TEST(Snapshot, AtTheAddressOfADeadOneShowsItsOwnValue) {
  alignas(Snapshot<int>) std::byte place[sizeof(Snapshot<int>)];
  for (int value = 1; value < 100; ++value) {
    auto* snapshot = new (place) Snapshot<int>(std::make_shared<const int>(value));
    EXPECT_EQ(snapshot->read(), value);
    snapshot->~Snapshot();
  }
}

TEST(Snapshot, IsReadByManyThreadsWholeAndNeverBackwards) {
  std::atomic<int> alive{0};
  constexpr int kLast = 2000;
  {
    Snapshot<Pair> snapshot(std::make_shared<const Pair>(0, alive));
    std::vector<std::thread> readers;
    for (int i = 0; i < 4; ++i) {
      readers.emplace_back([&] {
        int seen = 0;
        while (seen < kLast) {
          const Pair& pair = snapshot.read();
          ASSERT_EQ(pair.first, pair.second);
          ASSERT_GE(pair.first, seen);
          seen = pair.first;
        }
      });
    }
    for (int value = 1; value <= kLast; ++value) {
      snapshot.publish(std::make_shared<const Pair>(value, alive));
    }
    for (auto& reader : readers) reader.join();
    // The readers' threads have ended, and with them what they held.
    EXPECT_EQ(alive, 1);
  }
  EXPECT_EQ(alive, 0);
}

TEST(Snapshot, ThatWasPublishedIsSeenByAThreadThatIsToldOfIt) {
  Snapshot<int> snapshot(std::make_shared<const int>(0));
  std::atomic<int> told{0};
  std::thread reader([&] {
    for (int value = 1; value <= 1000; ++value) {
      while (told.load() < value) std::this_thread::yield();
      ASSERT_GE(snapshot.read(), value);
    }
  });
  for (int value = 1; value <= 1000; ++value) {
    snapshot.publish(std::make_shared<const int>(value));
    told = value;
  }
  reader.join();
}

}  // namespace
}  // namespace keyhold

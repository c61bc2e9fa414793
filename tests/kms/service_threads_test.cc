// Many callers at once.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <set>
#include <thread>

#include "kms/service.h"
#include "tests/kms/fixture.h"

namespace keyhold::kms {
namespace {

using namespace testing;

class ThreadsTest : public ::testing::Test {
 protected:
  void SetUp() override { world_.open(); }
  Service& service() { return world_.service(); }

  /// Runs `act(i)` on `count` threads that begin together.
  template <typename Act>
  static void together(int count, const Act& act) {
    std::atomic<int> ready{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < count; ++i) {
      threads.emplace_back([&, i] {
        ++ready;
        while (ready < count) std::this_thread::yield();
        act(i);
      });
    }
    for (auto& thread : threads) thread.join();
  }

  World world_;
};

TEST_F(ThreadsTest, TwoSchedulingsOfOneDeletionAreOneAndARefusal) {
  for (int round = 0; round < 20; ++round) {
    const KeyPtr key = world_.create_key();
    std::atomic<int> won{0};
    std::atomic<int> refused{0};
    together(2, [&](int i) {
      const auto at = service().schedule_deletion(*key, 7 + i);
      if (at) {
        ++won;
      } else if (at.error().code() == ErrorCode::kKmsInvalidState) {
        ++refused;
      }
    });
    EXPECT_EQ(won, 1);
    EXPECT_EQ(refused, 1);
    EXPECT_EQ(world_.newest(key)->record(), [&] {
      const auto contents = world_.store().load();
      const auto at = std::ranges::find(contents->keys, key->id(), &store::KeyRecord::id);
      return *at;
    }());
  }
}

TEST_F(ThreadsTest, DisablingBesideSchedulingNeverUndoesTheDeletion) {
  for (int round = 0; round < 20; ++round) {
    const KeyPtr key = world_.create_key();
    together(3, [&](int i) {
      if (i == 0) {
        EXPECT_TRUE(service().schedule_deletion(*key, 7));
        return;
      }
      const auto done =
          i == 1 ? service().disable_key(*key) : service().update_description(*key, "changed");
      if (!done) {
        EXPECT_EQ(done.error().code(), ErrorCode::kKmsInvalidState);
      }
    });
    EXPECT_EQ(world_.newest(key)->record().state, KeyState::kPendingDeletion);
    EXPECT_TRUE(world_.newest(key)->record().deletion_at);
  }
}

TEST_F(ThreadsTest, RotatingOneKeyAllWinInTurnOrAreToldOfTheConflict) {
  const KeyPtr key = world_.create_key();
  std::atomic<int> won{0};
  together(10, [&](int) {
    const auto rotated = service().rotate_on_demand(*key);
    if (rotated) {
      ++won;
    } else {
      EXPECT_EQ(rotated.error().code(), ErrorCode::kConflict) << why(rotated);
    }
  });
  EXPECT_GE(won, 1);
  EXPECT_EQ(world_.newest(key)->materials().size(), static_cast<std::size_t>(won) + 1);
  EXPECT_EQ(world_.newest(key)->record().on_demand_rotations, won);
  EXPECT_EQ(world_.events.rotations().size(), static_cast<std::size_t>(won));
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(ThreadsTest, NoMoreThanTheLimitOfRotationsIsEverDone) {
  const KeyPtr key = world_.create_key();
  std::atomic<int> won{0};
  together(4, [&](int) {
    for (int i = 0; i < 100'000; ++i) {
      const auto rotated = service().rotate_on_demand(*key);
      if (rotated) {
        ++won;
        continue;
      }
      if (rotated.error().code() == ErrorCode::kLimitExceeded) return;
      ASSERT_EQ(rotated.error().code(), ErrorCode::kConflict) << why(rotated);
    }
    ADD_FAILURE() << "the limit is never reached";
  });
  EXPECT_EQ(won, 10);
  EXPECT_EQ(world_.newest(key)->record().on_demand_rotations, 10);
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(ThreadsTest, OneAliasIsCreatedOnce) {
  const KeyPtr key = world_.create_key();
  for (int round = 0; round < 10; ++round) {
    const std::string name = "alias/" + std::to_string(round);
    std::atomic<int> won{0};
    together(4, [&](int) {
      const auto created = service().create_alias(world_.scope, name, *key);
      if (created) {
        ++won;
      } else {
        EXPECT_EQ(created.error().code(), ErrorCode::kAlreadyExists);
      }
    });
    EXPECT_EQ(won, 1);
  }
}

TEST_F(ThreadsTest, NoMoreThanTheLimitOfAliasesIsEverThere) {
  world_.options.alias_limit = 5;
  world_.restart();
  const KeyPtr key = world_.create_key();
  std::atomic<int> won{0};
  together(4, [&](int thread) {
    for (int i = 0; i < 5; ++i) {
      const std::string name = "alias/" + std::to_string(thread) + "-" + std::to_string(i);
      if (service().create_alias(world_.scope, name, *key)) ++won;
    }
  });
  EXPECT_EQ(won, 5);
}

TEST_F(ThreadsTest, EncryptionGoesOnWhileKeysRotateAndReconcileTakesNothingForStrange) {
  const KeyPtr key = world_.create_key();
  std::atomic<bool> done{false};
  std::atomic<int> messages{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([&] {
      while (!done) {
        const Bytes blob = world_.encrypt(key, "text");
        const auto plain = world_.decrypt(blob);
        ASSERT_TRUE(plain) << why(plain);
        ASSERT_EQ(plain->plaintext.text(), "text");
        ++messages;
      }
    });
  }
  threads.emplace_back([&] {
    while (!done) {
      const auto report = world_.reconcile();
      ASSERT_TRUE(report.strangers.empty()) << report.strangers.front();
      ASSERT_TRUE(report.alarms.empty()) << report.alarms.front();
    }
  });
  threads.emplace_back([&] {
    while (!done) service().run_due_work();
  });
  for (int i = 0; i < 10; ++i) {
    const auto rotated = service().rotate_on_demand(*key);
    EXPECT_TRUE(rotated) << why(rotated);
    const KeyPtr doomed = world_.create_key();
    ASSERT_TRUE(doomed);
    ASSERT_TRUE(service().schedule_deletion(*doomed, 7));
    world_.clock.advance(8 * kDay);
  }
  done = true;
  for (auto& thread : threads) thread.join();
  EXPECT_GT(messages, 0);
  EXPECT_EQ(world_.events.rotations().size(), 10U);
  service().run_due_work();
  EXPECT_EQ(service().list_keys(world_.scope, {})->elements.size(), 1U);
  EXPECT_EQ(world_.token().usage().recoveries, 0U) << "the token was taken for gone";
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(ThreadsTest, UsingAKeyWhileItIsDestroyedDisturbsNoOther) {
  const KeyPtr other = world_.create_key();
  for (int round = 0; round < 30; ++round) {
    const KeyPtr doomed = world_.create_key();
    ASSERT_TRUE(service().schedule_deletion(*doomed, 7));
    world_.clock.advance(7 * kDay);
    together(3, [&](int thread) {
      if (thread == 0) {
        service().run_due_work();
        return;
      }
      // Until it is gone; a call that had found the key before sees its object vanish.
      const KeyPtr& key = thread == 1 ? doomed : other;
      for (int i = 0; i < 1000; ++i) {
        const auto encrypted = service().encrypt(*key, as_bytes("x"), {});
        if (encrypted) {
          if (key == other && i > 20) return;
          continue;
        }
        EXPECT_EQ(key, doomed) << why(encrypted);
        EXPECT_EQ(encrypted.error().code(), ErrorCode::kKmsInternal) << why(encrypted);
        return;
      }
    });
  }
  EXPECT_EQ(world_.token().usage().recoveries, 0U) << "the token was taken for gone";
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(ThreadsTest, ManyKeysAreBornAtOnceEachWithItsOwnMaterial) {
  std::mutex mutex;
  std::set<std::string> ids;
  together(8, [&](int) {
    for (int i = 0; i < 4; ++i) {
      const KeyPtr key = world_.create_key();
      ASSERT_TRUE(key);
      const std::lock_guard lock(mutex);
      EXPECT_TRUE(ids.insert(key->id()).second);
      EXPECT_TRUE(ids.insert(key->current_material().record.material_id).second);
    }
  });
  EXPECT_EQ(ids.size(), 64U);
  EXPECT_EQ(world_.expect_whole(), 0U);
}

}  // namespace
}  // namespace keyhold::kms

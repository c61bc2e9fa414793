#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

#include "kms/messages.h"
#include "store/sqlite_store.h"
#include "tests/kms/keys.h"
#include "tests/support/temporary_folder.h"

namespace keyhold::kms {
namespace {

using namespace testing;

constexpr std::uint64_t kLimit = InvocationCounter::kLimit;
constexpr std::uint64_t kBlock = InvocationCounter::kBlock;

/// A key with one material that encrypts directly, in a real store.
class InvocationCounterTest : public ::testing::Test {
 protected:
  InvocationCounterTest() {
    auto opened = store::SqliteStore::open(folder_.file("keyhold.db"));
    store_ = std::move(opened.value());
    const auto record = a_key_record();
    auto intent = an_intent(record, store::IntentKind::kCreateKey);
    auto row = a_material_record(record, 0, Construction::kDirect);
    row.object_name = intent.object_name;
    row.material_id = row.object_name.hex();
    EXPECT_TRUE(store_->begin_key(record, intent));
    EXPECT_TRUE(store_->finish_key(row));
    key_ = std::make_unique<Key>(
        record, std::vector{std::make_shared<const KeyMaterial>(row, kind_of(record))},
        std::nullopt);
  }

  const KeyMaterial& material() const { return key_->current_material(); }

  /// How many invocations the store has reserved so far.
  std::uint64_t reserved() {
    return store_->reserve_invocations(material().record.object_name, 0).value();
  }
  void reserve(std::uint64_t count) {
    ASSERT_TRUE(store_->reserve_invocations(material().record.object_name, count));
  }

  keyhold::test::TemporaryFolder folder_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<Key> key_;
};

TEST_F(InvocationCounterTest, ReservesABlockAndGoesToTheStoreForTheNextOnly) {
  InvocationCounter counter(*store_);
  for (std::uint64_t i = 0; i < kBlock; ++i) ASSERT_TRUE(counter.count(*key_, material()));
  EXPECT_EQ(reserved(), kBlock);
  ASSERT_TRUE(counter.count(*key_, material()));
  EXPECT_EQ(reserved(), 2 * kBlock);
}

TEST_F(InvocationCounterTest, CountsReservedOnesAcrossRestarts) {
  for (std::uint64_t life = 1; life <= 5; ++life) {
    InvocationCounter counter(*store_);
    ASSERT_TRUE(counter.count(*key_, material()));
    EXPECT_EQ(reserved(), life * kBlock);
  }
}

TEST_F(InvocationCounterTest, AllowsTheLastInvocationAndNoMore) {
  reserve(kLimit - 3);
  InvocationCounter counter(*store_);
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(counter.count(*key_, material()));
  for (int i = 0; i < 3; ++i) {
    const auto refused = counter.count(*key_, material());
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::kKmsInvalidState);
    EXPECT_NE(refused.error().message().find("Rotate"), std::string::npos);
    EXPECT_NE(refused.error().message().find(key_->arn()), std::string::npos);
  }
}

TEST_F(InvocationCounterTest, StaysRefusedAfterARestart) {
  reserve(kLimit);
  for (int life = 0; life < 3; ++life) {
    InvocationCounter counter(*store_);
    EXPECT_FALSE(counter.count(*key_, material()));
  }
}

TEST_F(InvocationCounterTest, CountsEachMaterialByItself) {
  reserve(kLimit);
  auto record = key_->record();
  const auto intent = an_intent(record, store::IntentKind::kRotateOnDemand);
  auto row = a_material_record(record, 1, Construction::kDirect);
  row.object_name = intent.object_name;
  ASSERT_TRUE(store_->begin_material(intent, record.version));
  ASSERT_TRUE(store_->finish_rotation(record, row));
  InvocationCounter counter(*store_);
  EXPECT_FALSE(counter.count(*key_, material()));
  EXPECT_TRUE(counter.count(*key_, KeyMaterial(row, {})));
}

TEST_F(InvocationCounterTest, RefusesWhatTheStoreDoesNotCount) {
  InvocationCounter counter(*store_);
  EXPECT_FALSE(counter.count(*key_, KeyMaterial(a_material_record(a_key_record(), 0), {})));
}

TEST_F(InvocationCounterTest, CountsEveryCallOfManyThreadsOnce) {
  reserve(kLimit - 1000);
  InvocationCounter counter(*store_);
  std::atomic<int> allowed{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 500; ++n) {
        if (counter.count(*key_, material())) ++allowed;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(allowed, 1000);
}

}  // namespace
}  // namespace keyhold::kms

#include "store/identity_store.h"

#include <gtest/gtest.h>

#include "store/sqlite_store.h"
#include "tests/support/temporary_folder.h"

namespace keyhold::store {
namespace {

TimePoint at(int second) { return TimePoint(std::chrono::seconds(second)); }

class IdentityStoreTest : public ::testing::Test {
 protected:
  void open() {
    store_.reset();
    auto opened = SqliteStore::open(folder_.file("store.db"));
    ASSERT_TRUE(opened);
    store_ = std::move(*opened);
  }
  void SetUp() override { open(); }

  keyhold::test::TemporaryFolder folder_;
  std::unique_ptr<SqliteStore> store_;
};

TEST_F(IdentityStoreTest, KeepsWhatWasPutAndReplacesWhatHasItsName) {
  const IdentityRecord user{"111122223333", "user", "a", "{}", at(1)};
  const IdentityRecord role{"111122223333", "role", "a", "{\"x\":1}", at(2)};
  ASSERT_TRUE(store_->put_identity(user));
  ASSERT_TRUE(store_->put_identity(role));
  IdentityRecord changed = user;
  changed.definition = "{\"y\":2}";
  changed.updated_at = at(3);
  ASSERT_TRUE(store_->put_identity(changed));
  open();
  EXPECT_EQ(*store_->identities(), (std::vector{role, changed}));
}

TEST_F(IdentityStoreTest, ForgetsWhatWasDeletedAndSaysSoWhereThereIsNone) {
  ASSERT_TRUE(store_->put_identity({"111122223333", "user", "a", "{}", at(1)}));
  const auto wrong = store_->delete_identity("111122223333", "role", "a");
  ASSERT_FALSE(wrong);
  EXPECT_EQ(wrong.error().code(), ErrorCode::kNotFound);
  ASSERT_TRUE(store_->delete_identity("111122223333", "user", "a"));
  open();
  EXPECT_TRUE(store_->identities()->empty());
}

TEST_F(IdentityStoreTest, OfTwoRevocationsTheLaterCounts) {
  ASSERT_TRUE(store_->put_revocation({"role", at(5)}));
  ASSERT_TRUE(store_->put_revocation({"role", at(3)}));
  ASSERT_TRUE(store_->put_revocation({"key", at(1)}));
  ASSERT_TRUE(store_->put_revocation({"key", at(2)}));
  open();
  EXPECT_EQ(*store_->revocations(),
            (std::vector{RevocationRecord{"key", at(2)}, RevocationRecord{"role", at(5)}}));
}

}  // namespace
}  // namespace keyhold::store

// The end of a KMS key, over a real token and a real store.
#include <gtest/gtest.h>

#include <algorithm>

#include "kms/service.h"
#include "tests/kms/fixture.h"

namespace keyhold::kms {
namespace {

using namespace testing;
using namespace std::chrono_literals;

class DeletionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(world_.open());
    service().run_due_work();  // the round that every start begins with is over
  }
  Service& service() { return world_.service(); }
  World world_;
};

TEST_F(DeletionTest, IsScheduledToTheMillisecond) {
  const KeyPtr key = world_.create_key();
  world_.clock.advance(17ms);
  const auto at = service().schedule_deletion(*key, 30);
  ASSERT_TRUE(at) << why(at);
  EXPECT_EQ(*at, kStart + 17ms + 30 * kDay);
  for (int life = 0; life < 2; ++life) {
    EXPECT_EQ(world_.newest(key)->record().state, KeyState::kPendingDeletion);
    EXPECT_EQ(world_.newest(key)->record().deletion_at, *at);
    world_.restart();
  }
}

TEST_F(DeletionTest, WaitsSevenToThirtyDays) {
  const KeyPtr key = world_.create_key();
  for (const int days : {-1, 0, 6, 31, 365}) {
    const auto refused = service().schedule_deletion(*key, days);
    EXPECT_EQ(code_of(refused), ErrorCode::kValidation) << days;
    EXPECT_EQ(refused.error().message(), "PendingWindowInDays must be between 7 and 30");
    EXPECT_EQ(world_.newest(key)->record().state, KeyState::kEnabled);
  }
  EXPECT_TRUE(service().schedule_deletion(*key, 7));
}

TEST_F(DeletionTest, ScheduledTwiceIsRefusedAndDoesNotMove) {
  const KeyPtr key = world_.create_key();
  ASSERT_TRUE(service().schedule_deletion(*key, 7));
  const auto refused = service().schedule_deletion(*key, 30);
  EXPECT_EQ(code_of(refused), ErrorCode::kKmsInvalidState);
  EXPECT_EQ(refused.error().message(), key->arn() + " is pending deletion.");
  EXPECT_EQ(world_.newest(key)->record().deletion_at, kStart + 7 * kDay);
}

TEST_F(DeletionTest, CancelledLeavesADisabledKeyThatDecryptsEverything) {
  const KeyPtr key = world_.create_key();
  const Bytes blob = world_.encrypt(key, "kept");
  ASSERT_TRUE(service().schedule_deletion(*key, 7));
  world_.clock.advance(7 * kDay - 1ms);
  service().run_due_work();
  ASSERT_TRUE(service().cancel_deletion(*key));
  EXPECT_EQ(world_.newest(key)->record().state, KeyState::kDisabled);
  EXPECT_FALSE(world_.newest(key)->record().deletion_at);
  world_.clock.advance(100 * kDay);
  service().run_due_work();
  world_.restart();
  service().run_due_work();
  EXPECT_EQ(world_.decrypt(blob)->plaintext.text(), "kept");
  EXPECT_EQ(world_.expect_whole(), 0U);
  const auto again = service().cancel_deletion(*key);
  EXPECT_EQ(code_of(again), ErrorCode::kKmsInvalidState);
  EXPECT_EQ(again.error().message(), key->arn() + " is not pending deletion.");
}

TEST_F(DeletionTest, IsRefusedEverythingElseWhileItWaits) {
  const KeyPtr key = world_.create_key();
  ASSERT_TRUE(service().schedule_deletion(*key, 7));
  EXPECT_EQ(code_of(service().enable_key(*key)), ErrorCode::kKmsInvalidState);
  EXPECT_EQ(code_of(service().disable_key(*key)), ErrorCode::kKmsInvalidState);
  EXPECT_EQ(service().list_keys(world_.scope, {})->elements.size(), 1U);
}

TEST_F(DeletionTest, DestroysAllMaterialsAtItsDateAndNothingElse) {
  const KeyPtr doomed = world_.create_key();
  const KeyPtr other = world_.create_key();
  const Bytes lost = world_.encrypt(doomed, "lost");
  const Bytes kept = world_.encrypt(other, "kept");
  ASSERT_TRUE(service().rotate_on_demand(*doomed));
  ASSERT_TRUE(service().create_alias(world_.scope, "alias/doomed", *doomed));
  ASSERT_TRUE(service().create_alias(world_.scope, "alias/other", *other));
  ASSERT_TRUE(service().schedule_deletion(*doomed, 7));
  world_.clock.advance(7 * kDay - 1ms);
  service().run_due_work();
  EXPECT_EQ(world_.object_names().size(), 3U);
  EXPECT_TRUE(world_.newest(doomed));

  world_.clock.advance(1ms);
  service().run_due_work();
  EXPECT_EQ(world_.object_names(),
            std::vector<std::string>{other->current_material().record.object_name.hex()});
  for (int life = 0; life < 2; ++life) {
    EXPECT_EQ(code_of(service().find_key(world_.scope, doomed->id(), KeyLookup::kIdOrArn)),
              ErrorCode::kNotFound);
    EXPECT_EQ(code_of(service().find_key(world_.scope, "alias/doomed", KeyLookup::kIdArnOrAlias)),
              ErrorCode::kNotFound);
    EXPECT_EQ(code_of(world_.decrypt(lost)), ErrorCode::kNotFound);
    EXPECT_EQ(world_.decrypt(kept)->plaintext.text(), "kept");
    EXPECT_TRUE(service().find_key(world_.scope, "alias/other", KeyLookup::kIdArnOrAlias));
    EXPECT_EQ(world_.expect_whole(), 0U);
    world_.restart();
  }
  EXPECT_TRUE(service().create_alias(world_.scope, "alias/doomed", *other)) << "its name is free";
  const auto rows = world_.store().load();
  ASSERT_TRUE(rows);
  EXPECT_EQ(rows->materials.size(), 1U);
  EXPECT_EQ(rows->aliases.size(), 2U);
}

TEST_F(DeletionTest, TellsOfItsEnd) {
  const KeyPtr key = world_.create_key();
  ASSERT_TRUE(service().schedule_deletion(*key, 7));
  world_.clock.advance(8 * kDay);
  service().run_due_work();
  const auto told = world_.events.deletions();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].account, kAccount);
  EXPECT_EQ(told[0].region, kRegion);
  EXPECT_EQ(told[0].key_id, key->id());
  EXPECT_EQ(told[0].key_arn, key->arn());
  EXPECT_EQ(told[0].deleted_at, kStart + 8 * kDay);
}

TEST_F(DeletionTest, TellsAgainLaterWhatWasNotTakenTheFirstTime) {
  const KeyPtr key = world_.create_key();
  ASSERT_TRUE(service().schedule_deletion(*key, 7));
  world_.clock.advance(8 * kDay);
  world_.events.on_tell([]() -> Result<void> { return Error(ErrorCode::kKmsInternal); });
  service().run_due_work();
  EXPECT_EQ(world_.newest(key), nullptr) << "to callers it is gone";
  world_.close();
  world_.events.on_tell(nullptr);
  const std::size_t before = world_.events.deletions().size();
  EXPECT_GE(before, 1U);
  world_.open();
  EXPECT_EQ(world_.events.deletions().size(), before + 1);
  EXPECT_EQ(world_.expect_whole(), 0U);
  world_.restart();
  EXPECT_EQ(world_.events.deletions().size(), before + 1);
}

TEST_F(DeletionTest, OverdueAfterDowntimeIsDone) {
  const KeyPtr key = world_.create_key();
  ASSERT_TRUE(service().schedule_deletion(*key, 7));
  world_.close();
  world_.clock.advance(100 * kDay);
  world_.open();
  service().run_due_work();
  EXPECT_EQ(world_.newest(key), nullptr);
  EXPECT_TRUE(world_.object_names().empty());
}

TEST_F(DeletionTest, WhoseTokenIsAwayIsTakenUpAgainUntilNothingIsLeft) {
  const KeyPtr key = world_.create_key();
  ASSERT_TRUE(service().rotate_on_demand(*key));
  ASSERT_TRUE(service().schedule_deletion(*key, 7));
  world_.clock.advance(8 * kDay);
  int calls = 0;
  world_.token_hook.before = [&](std::string_view call) -> Result<void> {
    if (call == "destroy_material" && ++calls == 2) return Error(ErrorCode::kKeyUnavailable);
    return {};
  };
  service().run_due_work();
  EXPECT_EQ(world_.newest(key), nullptr);
  EXPECT_EQ(world_.object_names().size(), 1U) << "one object was destroyed, one could not be";
  EXPECT_TRUE(world_.events.deletions().empty()) << "told before it had happened";
  service().run_due_work();
  EXPECT_TRUE(world_.object_names().empty());
  EXPECT_EQ(world_.events.deletions().size(), 1U);
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(DeletionTest, TakesTheObjectOfARotationThatNeverEndedAlong) {
  const KeyPtr key = world_.create_key();
  // The token makes the object and then is away.
  bool away = false;
  world_.token_hook.before = [&](std::string_view) -> Result<void> {
    if (away) return Error(ErrorCode::kKeyUnavailable);
    return {};
  };
  world_.token_hook.after = [&](std::string_view call) {
    if (call == "generate_material") away = true;
  };
  world_.store_hook.before = [](std::string_view call) -> Result<void> {
    if (call == "finish_rotation") return Error(ErrorCode::kKmsInternal);
    return {};
  };
  EXPECT_EQ(code_of(service().rotate_on_demand(*key)), ErrorCode::kKmsInternal);
  EXPECT_EQ(world_.object_names().size(), 2U);
  ASSERT_TRUE(service().schedule_deletion(*key, 7));
  world_.clock.advance(8 * kDay);
  service().run_due_work();  // condemned; nothing can be destroyed yet
  world_.store_hook.before = nullptr;
  away = false;
  world_.token_hook.after = nullptr;
  service().run_due_work();
  EXPECT_TRUE(world_.object_names().empty());
  EXPECT_EQ(world_.expect_whole(), 0U);
}

}  // namespace
}  // namespace keyhold::kms

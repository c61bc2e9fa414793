#include "kms/rotation.h"

#include <gtest/gtest.h>

#include "tests/kms/keys.h"

namespace keyhold::kms {
namespace {

using namespace testing;
using namespace std::chrono_literals;

/// A key that rotates automatically, next at `next`.
store::KeyRecord rotating(TimePoint next, int period_days = 365) {
  auto record = a_key_record();
  record.rotation_enabled = true;
  record.rotation_period_days = period_days;
  record.next_rotation_at = next;
  return record;
}

ErrorCode refusal(const Key& key, RotationRules rules, TimePoint now) {
  const auto verdict = check_on_demand_rotation(key, rules, now);
  EXPECT_FALSE(verdict.has_value());
  return verdict ? ErrorCode::kKmsInternal : verdict.error().code();
}

TEST(RotationRules, AreNamedByTheirYearAndNothingElse) {
  EXPECT_EQ(parse_rotation_rules("2024"), RotationRules::k2024);
  EXPECT_EQ(parse_rotation_rules("2025"), RotationRules::k2025);
  for (const std::string_view text : {"", "2023", "2026", "2024 ", "k2024"}) {
    EXPECT_FALSE(parse_rotation_rules(text)) << text;
  }
}

class OnDemandLimit : public ::testing::TestWithParam<std::pair<RotationRules, int>> {};
INSTANTIATE_TEST_SUITE_P(RuleSets, OnDemandLimit,
                         ::testing::Values(std::pair(RotationRules::k2024, 10),
                                           std::pair(RotationRules::k2025, 25)));

TEST_P(OnDemandLimit, IsReachedWithTheLastRotationAllowed) {
  const auto [rules, limit] = GetParam();
  auto record = a_key_record();
  record.on_demand_rotations = limit - 1;
  EXPECT_TRUE(check_on_demand_rotation(a_key(record), rules, kStart));
  record.on_demand_rotations = limit;
  const Key key = a_key(record);
  const auto verdict = check_on_demand_rotation(key, rules, kStart);
  ASSERT_FALSE(verdict);
  EXPECT_EQ(verdict.error().code(), ErrorCode::kLimitExceeded);
  EXPECT_EQ(verdict.error().message(),
            "The on-demand rotations limit has been reached for the given keyId. No more on-demand "
            "rotations can be performed for this key: " +
                key.arn());
}

TEST(OnDemandRotation, IsRefusedWhileAnAutomaticOneIsDueWithinTwentyMinutes) {
  for (const milliseconds ahead :
       {milliseconds(20min), milliseconds(20min) - 1ms, milliseconds(1ms), milliseconds(0)}) {
    EXPECT_EQ(refusal(a_key(rotating(kStart + ahead)), RotationRules::k2024, kStart),
              ErrorCode::kConflict)
        << ahead.count();
  }
}

TEST(OnDemandRotation, IsAllowedOneMillisecondBeforeTheTwentyMinutes) {
  const Key key = a_key(rotating(kStart + 20min + 1ms));
  EXPECT_TRUE(check_on_demand_rotation(key, RotationRules::k2024, kStart));
}

TEST(OnDemandRotation, IsRefusedWhileAnAutomaticOneIsOverdue) {
  EXPECT_EQ(refusal(a_key(rotating(kStart - 3 * kDay)), RotationRules::k2024, kStart),
            ErrorCode::kConflict);
}

TEST(OnDemandRotation, IsRefusedWhileAnyRotationRuns) {
  const auto record = a_key_record();
  for (const auto kind :
       {store::IntentKind::kRotateOnDemand, store::IntentKind::kRotateAutomatic}) {
    EXPECT_EQ(refusal(a_key(record, 1, an_intent(record, kind)), RotationRules::k2025, kStart),
              ErrorCode::kConflict);
  }
}

TEST(OnDemandRotation, NeedsNoAutomaticOne) {
  EXPECT_TRUE(check_on_demand_rotation(a_key(a_key_record()), RotationRules::k2024, kStart));
}

TEST(AutomaticRotation, IsDueFromItsInstantOn) {
  const Key key = a_key(rotating(kStart));
  EXPECT_FALSE(automatic_rotation_due(key, kStart - 1ms));
  EXPECT_TRUE(automatic_rotation_due(key, kStart));
  EXPECT_TRUE(automatic_rotation_due(key, kStart + 1000 * kDay));
}

TEST(AutomaticRotation, IsNotDueWhereTheKeyMayNotRotate) {
  auto disabled = rotating(kStart);
  disabled.state = KeyState::kDisabled;
  EXPECT_FALSE(automatic_rotation_due(a_key(disabled), kStart));
  auto pending = rotating(kStart);
  pending.state = KeyState::kPendingDeletion;
  EXPECT_FALSE(automatic_rotation_due(a_key(pending), kStart));
  auto off = rotating(kStart);
  off.rotation_enabled = false;
  EXPECT_FALSE(automatic_rotation_due(a_key(off), kStart));
  const auto running = rotating(kStart);
  EXPECT_FALSE(automatic_rotation_due(
      a_key(running, 1, an_intent(running, store::IntentKind::kRotateOnDemand)), kStart));
}

TEST(RotationSchedule, GoesOnOnePeriodAfterARotationInTime) {
  EXPECT_EQ(next_rotation_after(kStart, 365, kStart), kStart + 365 * kDay);
  EXPECT_EQ(next_rotation_after(kStart, 90, kStart + 5s), kStart + 90 * kDay);
}

TEST(RotationSchedule, IsTheFirstOfTheOldGridAfterALateRotation) {
  EXPECT_EQ(next_rotation_after(kStart, 90, kStart + 90 * kDay - 1ms), kStart + 90 * kDay);
  EXPECT_EQ(next_rotation_after(kStart, 90, kStart + 90 * kDay), kStart + 180 * kDay);
  EXPECT_EQ(next_rotation_after(kStart, 90, kStart + 90 * kDay + 1ms), kStart + 180 * kDay);
  EXPECT_EQ(next_rotation_after(kStart, 90, kStart + 1000 * kDay), kStart + 1080 * kDay);
}

TEST(RotationSchedule, AlwaysLiesAfterNowAndOnTheGrid) {
  for (const int period : {90, 91, 365, 2560}) {
    for (int late = 0; late < 3000; late += 13) {
      const TimePoint now = kStart + late * kDay + 17ms;
      const TimePoint next = next_rotation_after(kStart, period, now);
      ASSERT_GT(next, now);
      ASSERT_LE(next, now + period * kDay);
      ASSERT_EQ((next - kStart) % (period * kDay), milliseconds(0));
    }
  }
}

TEST(RotationSchedule, ThatWasSetToTheFutureMeanwhileStays) {
  EXPECT_EQ(next_rotation_after(kStart + 90 * kDay, 90, kStart), kStart + 90 * kDay);
}

TEST(RotationSchedule, CountsDaysOf24HoursOverChangesOfTheClock) {
  // Over the last Sunday of March, on which Europe's clocks skip an hour.
  const TimePoint before = std::chrono::sys_days(2026y / 3 / 1) + 1h + 30min;
  EXPECT_EQ(next_rotation_after(before, 90, before), before + 90 * 24h);
  EXPECT_EQ(to_iso8601(next_rotation_after(before, 90, before)), "2026-05-30T01:30:00Z");
}

TEST(RotationStatus, ShowsNothingOfASettingThatIsOff) {
  const auto status = rotation_status(a_key(a_key_record()), RotationRules::k2024).value();
  EXPECT_FALSE(status.enabled);
  EXPECT_FALSE(status.period_days);
  EXPECT_FALSE(status.next_rotation_at);
  EXPECT_FALSE(status.on_demand_started_at);
}

TEST(RotationStatus, ShowsPeriodAndNextDateWhileOnAlsoOfADisabledKey) {
  auto record = rotating(kStart + kDay, 180);
  for (const KeyState state : {KeyState::kEnabled, KeyState::kDisabled}) {
    record.state = state;
    const auto status = rotation_status(a_key(record), RotationRules::k2024).value();
    EXPECT_TRUE(status.enabled);
    EXPECT_EQ(status.period_days, 180);
    EXPECT_EQ(status.next_rotation_at, kStart + kDay);
  }
}

TEST(RotationStatus, OfAKeyThatWaitsForItsDeletionIsOff) {
  auto record = rotating(kStart + kDay);
  record.state = KeyState::kPendingDeletion;
  const auto status = rotation_status(a_key(record), RotationRules::k2024).value();
  EXPECT_FALSE(status.enabled);
  EXPECT_FALSE(status.period_days);
  EXPECT_FALSE(status.next_rotation_at);
}

TEST(RotationStatus, ShowsTheStartOfARunningOnDemandRotationOnly) {
  const auto record = rotating(kStart + 90 * kDay);
  const auto on_demand = an_intent(record, store::IntentKind::kRotateOnDemand);
  EXPECT_EQ(rotation_status(a_key(record, 1, on_demand), RotationRules::k2024)
                .value()
                .on_demand_started_at,
            on_demand.started_at);
  EXPECT_TRUE(rotation_status(a_key(record, 1, on_demand), RotationRules::k2024).value().enabled);
  const auto automatic = an_intent(record, store::IntentKind::kRotateAutomatic);
  EXPECT_FALSE(rotation_status(a_key(record, 1, automatic), RotationRules::k2024)
                   .value()
                   .on_demand_started_at);
}

}  // namespace
}  // namespace keyhold::kms

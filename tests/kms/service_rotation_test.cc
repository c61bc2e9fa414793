// Rotation, on demand and by the calendar, over a real token and a real store.
#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <future>
#include <thread>

#include "kms/service.h"
#include "tests/kms/fixture.h"

namespace keyhold::kms {
namespace {

using namespace testing;
using namespace std::chrono_literals;

/// Holds calls up until it is opened, and tells when the first has come.
class Gate {
 public:
  Result<void> pass() {
    std::unique_lock lock(mutex_);
    arrived_ = true;
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_; });
    return {};
  }
  void await_arrival() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return arrived_; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool arrived_ = false;
  bool open_ = false;
};

class RotationTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(world_.open());
    service().run_due_work();  // the round that every start begins with is over
  }
  Service& service() { return world_.service(); }
  std::size_t materials(const KeyPtr& key) { return world_.newest(key)->materials().size(); }
  RotationStatus status(const KeyPtr& key) {
    return world_.service().rotation_status(*world_.newest(key)).value();
  }
  void hold_generation(Gate& gate) {
    world_.token_hook.before = [&gate](std::string_view call) {
      return call == "generate_material" ? gate.pass() : Result<void>();
    };
  }
  World world_;
};

TEST_F(RotationTest, OnDemandGivesANewMaterialAndKeepsTheOldForDecryption) {
  const KeyPtr key = world_.create_key();
  const Bytes before = world_.encrypt(key, "before");
  world_.clock.advance(1h);
  const auto rotated = service().rotate_on_demand(*key);
  ASSERT_TRUE(rotated) << why(rotated);
  const KeyPtr now = world_.newest(key);
  ASSERT_EQ(now->materials().size(), 2U);
  EXPECT_NE(now->current_material().record.material_id, key->current_material().record.material_id);
  EXPECT_EQ(now->current_material().record.rotation_type, RotationType::kOnDemand);
  EXPECT_EQ(now->current_material().record.rotated_at, kStart + 1h);
  EXPECT_FALSE(now->running_intent());
  const Bytes after = world_.encrypt(key, "after");
  const auto old = world_.decrypt(before);
  ASSERT_TRUE(old) << why(old);
  EXPECT_EQ(old->plaintext.text(), "before");
  EXPECT_EQ(old->material_id, key->current_material().record.material_id);
  EXPECT_EQ(world_.decrypt(after)->material_id, now->current_material().record.material_id);
  EXPECT_EQ(world_.expect_whole(), 0U);
}

class OnDemandRules : public RotationTest,
                      public ::testing::WithParamInterface<std::pair<RotationRules, int>> {};
INSTANTIATE_TEST_SUITE_P(RuleSets, OnDemandRules,
                         ::testing::Values(std::pair(RotationRules::k2024, 10),
                                           std::pair(RotationRules::k2025, 25)));

TEST_P(OnDemandRules, AllowTheLastRotationRefuseTheNextAndDecryptEverything) {
  const auto [rules, limit] = GetParam();
  world_.options.rotation_rules = rules;
  world_.restart();
  const KeyPtr key = world_.create_key();
  std::vector<Bytes> blobs{world_.encrypt(key, "0")};
  for (int i = 1; i <= limit; ++i) {
    const auto rotated = service().rotate_on_demand(*key);
    ASSERT_TRUE(rotated) << i << ": " << why(rotated);
    blobs.push_back(world_.encrypt(key, std::to_string(i)));
  }
  for (int life = 0; life < 2; ++life) {
    const auto refused = service().rotate_on_demand(*key);
    EXPECT_EQ(code_of(refused), ErrorCode::kLimitExceeded);
    EXPECT_EQ(materials(key), static_cast<std::size_t>(limit) + 1);
    for (std::size_t i = 0; i < blobs.size(); ++i) {
      const auto plain = world_.decrypt(blobs[i]);
      ASSERT_TRUE(plain) << why(plain);
      EXPECT_EQ(plain->plaintext.text(), std::to_string(i));
      EXPECT_EQ(plain->material_id, world_.newest(key)->materials()[i]->record.material_id);
    }
    world_.restart();
  }
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(RotationTest, AutomaticHappensAtItsInstantAndNotBefore) {
  const KeyPtr key = world_.create_key();
  ASSERT_TRUE(service().enable_rotation(*key, 90));
  EXPECT_EQ(status(key).next_rotation_at, kStart + 90 * kDay);
  world_.clock.advance(90 * kDay - 1ms);
  service().run_due_work();
  EXPECT_EQ(materials(key), 1U);
  world_.clock.advance(1ms);
  service().run_due_work();
  ASSERT_EQ(materials(key), 2U);
  const auto& row = world_.newest(key)->current_material().record;
  EXPECT_EQ(row.rotation_type, RotationType::kAutomatic);
  EXPECT_EQ(row.rotated_at, kStart + 90 * kDay);
  EXPECT_EQ(status(key).next_rotation_at, kStart + 180 * kDay);
  service().run_due_work();
  EXPECT_EQ(materials(key), 2U);
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(RotationTest, AutomaticOnesNeverCountTowardsTheLimit) {
  const KeyPtr key = world_.create_key();
  ASSERT_TRUE(service().enable_rotation(*key, 90));
  for (int i = 0; i < 12; ++i) {
    world_.clock.advance(90 * kDay);
    service().run_due_work();
  }
  EXPECT_EQ(materials(key), 13U);
  EXPECT_EQ(world_.newest(key)->record().on_demand_rotations, 0);
  for (int i = 0; i < 10; ++i) {
    const auto rotated = service().rotate_on_demand(*key);
    ASSERT_TRUE(rotated) << i << ": " << why(rotated);
  }
  EXPECT_EQ(code_of(service().rotate_on_demand(*key)), ErrorCode::kLimitExceeded);
  world_.clock.advance(90 * kDay);
  service().run_due_work();
  EXPECT_EQ(materials(key), 24U) << "the limit stopped an automatic rotation";
}

TEST_F(RotationTest, AHundredMaterialsAllDecryptAfterARestart) {
  const KeyPtr key = world_.create_key();
  ASSERT_TRUE(service().enable_rotation(*key, 90));
  std::vector<Bytes> blobs{world_.encrypt(key, "0")};
  for (int i = 1; i < 100; ++i) {
    world_.clock.advance(90 * kDay);
    service().run_due_work();
    blobs.push_back(world_.encrypt(key, std::to_string(i)));
  }
  ASSERT_EQ(materials(key), 100U);
  world_.restart();
  ASSERT_EQ(materials(key), 100U);
  for (std::size_t i = 0; i < blobs.size(); ++i) {
    const auto plain = world_.decrypt(blobs[i]);
    ASSERT_TRUE(plain) << why(plain);
    EXPECT_EQ(plain->plaintext.text(), std::to_string(i));
    EXPECT_EQ(plain->material_id, world_.newest(key)->materials()[i]->record.material_id);
  }
}

TEST_F(RotationTest, OnDemandNeverMovesTheSchedule) {
  // The developer guide's example: period 730 days, on demand four days before the date.
  const KeyPtr key = world_.create_key();
  ASSERT_TRUE(service().enable_rotation(*key, 730));
  const TimePoint due = kStart + 730 * kDay;
  world_.clock.set(due - 4 * kDay);
  ASSERT_TRUE(service().rotate_on_demand(*key));
  EXPECT_EQ(status(key).next_rotation_at, due);
  EXPECT_EQ(status(key).period_days, 730);
  world_.clock.set(due);
  service().run_due_work();
  EXPECT_EQ(materials(key), 3U);
  EXPECT_EQ(status(key).next_rotation_at, due + 730 * kDay);
}

TEST_F(RotationTest, DowntimeIsMadeUpForByOneRotationOnTheOldGrid) {
  const KeyPtr key = world_.create_key();
  ASSERT_TRUE(service().enable_rotation(*key, 90));
  world_.close();
  world_.clock.advance(400 * kDay);  // four dates passed: 90, 180, 270, 360
  world_.open();
  service().run_due_work();
  EXPECT_EQ(materials(key), 2U);
  EXPECT_EQ(status(key).next_rotation_at, kStart + 450 * kDay);
  service().run_due_work();
  EXPECT_EQ(materials(key), 2U);
}

TEST_F(RotationTest, AutomaticHappensOnceForItsDateThoughTheClockIsSetBackMeanwhile) {
  const KeyPtr key = world_.create_key();
  ASSERT_TRUE(service().enable_rotation(*key, 90));
  world_.clock.advance(90 * kDay);
  Gate gate;
  hold_generation(gate);
  auto due = std::async(std::launch::async, [&] { service().run_due_work(); });
  gate.await_arrival();
  world_.clock.set(kStart);
  gate.open();
  due.get();
  EXPECT_EQ(status(key).next_rotation_at, kStart + 180 * kDay);
  world_.clock.advance(90 * kDay);
  service().run_due_work();
  EXPECT_EQ(materials(key), 2U);
}

TEST_F(RotationTest, ADisabledKeyWaitsAndMakesUpWhenEnabled) {
  const KeyPtr key = world_.create_key();
  ASSERT_TRUE(service().enable_rotation(*key, 90));
  ASSERT_TRUE(service().disable_key(*key));
  world_.clock.advance(100 * kDay);
  service().run_due_work();
  EXPECT_EQ(materials(key), 1U);
  EXPECT_EQ(status(key).next_rotation_at, kStart + 90 * kDay);
  ASSERT_TRUE(service().enable_key(*key));
  service().run_due_work();
  EXPECT_EQ(materials(key), 2U);
  EXPECT_EQ(status(key).next_rotation_at, kStart + 180 * kDay);
}

TEST_F(RotationTest, EnablingAKeyWakesTheWorkerByItself) {
  const KeyPtr key = world_.create_key();
  ASSERT_TRUE(service().enable_rotation(*key, 90));
  ASSERT_TRUE(service().disable_key(*key));
  world_.clock.advance(100 * kDay);
  ASSERT_TRUE(service().enable_key(*key));
  // The interval is an hour: only being woken can do it.
  for (int i = 0; i < 6000 && materials(key) == 1; ++i) std::this_thread::sleep_for(10ms);
  EXPECT_EQ(materials(key), 2U);
}

TEST_F(RotationTest, AKeyEnabledBeforeItsDateKeepsItsSchedule) {
  const KeyPtr key = world_.create_key();
  ASSERT_TRUE(service().enable_rotation(*key, 90));
  ASSERT_TRUE(service().disable_key(*key));
  world_.clock.advance(80 * kDay);
  ASSERT_TRUE(service().enable_key(*key));
  service().run_due_work();
  EXPECT_EQ(materials(key), 1U);
  EXPECT_EQ(status(key).next_rotation_at, kStart + 90 * kDay);
}

TEST_F(RotationTest, AKeyPendingDeletionOverItsDateMakesUpAfterCancelAndEnable) {
  const KeyPtr key = world_.create_key();
  ASSERT_TRUE(service().enable_rotation(*key, 90));
  world_.clock.advance(85 * kDay);
  ASSERT_TRUE(service().schedule_deletion(*key, 30));
  EXPECT_FALSE(status(key).enabled);
  world_.clock.advance(10 * kDay);
  service().run_due_work();
  EXPECT_EQ(materials(key), 1U);
  ASSERT_TRUE(service().cancel_deletion(*key));
  service().run_due_work();
  EXPECT_EQ(materials(key), 1U) << "a key is disabled after CancelKeyDeletion";
  EXPECT_TRUE(status(key).enabled);
  ASSERT_TRUE(service().enable_key(*key));
  service().run_due_work();
  EXPECT_EQ(materials(key), 2U);
  EXPECT_EQ(status(key).next_rotation_at, kStart + 180 * kDay);
}

TEST_F(RotationTest, EnabledAgainStartsANewSchedule) {
  const KeyPtr key = world_.create_key();
  ASSERT_TRUE(service().enable_rotation(*key, 90));
  world_.clock.advance(10 * kDay + 5ms);
  ASSERT_TRUE(service().enable_rotation(*key, 200));
  EXPECT_EQ(status(key).period_days, 200);
  EXPECT_EQ(status(key).next_rotation_at, kStart + 210 * kDay + 5ms);
  ASSERT_TRUE(service().disable_rotation(*key));
  EXPECT_FALSE(status(key).enabled);
  ASSERT_TRUE(service().disable_rotation(*key)) << "it may be disabled twice";
  world_.clock.advance(kDay);
  ASSERT_TRUE(service().enable_rotation(*key, 365));
  world_.restart();
  EXPECT_EQ(status(key).next_rotation_at, kStart + 11 * kDay + 5ms + 365 * kDay);
}

TEST_F(RotationTest, DisabledNoLongerHappens) {
  const KeyPtr key = world_.create_key();
  ASSERT_TRUE(service().enable_rotation(*key, 90));
  ASSERT_TRUE(service().disable_rotation(*key));
  world_.clock.advance(1000 * kDay);
  service().run_due_work();
  EXPECT_EQ(materials(key), 1U);
}

TEST_F(RotationTest, OnDemandIsRefusedInTheLastTwentyMinutesBeforeAnAutomaticOne) {
  const KeyPtr key = world_.create_key();
  ASSERT_TRUE(service().enable_rotation(*key, 90));
  world_.clock.set(kStart + 90 * kDay - 20min);
  EXPECT_EQ(code_of(service().rotate_on_demand(*key)), ErrorCode::kConflict);
  EXPECT_EQ(materials(key), 1U);
  world_.clock.set(kStart + 90 * kDay - 20min - 1ms);
  EXPECT_TRUE(service().rotate_on_demand(*key));
  world_.clock.set(kStart + 90 * kDay);
  EXPECT_EQ(code_of(service().rotate_on_demand(*key)), ErrorCode::kConflict) << "due, not done yet";
}

TEST_F(RotationTest, IsRefusedByStateWithAwsErrors) {
  const KeyPtr key = world_.create_key();
  ASSERT_TRUE(service().disable_key(*key));
  for (const auto& refused : {service().rotate_on_demand(*key), service().enable_rotation(*key, 90),
                              service().disable_rotation(*key)}) {
    EXPECT_EQ(code_of(refused), ErrorCode::kDisabled);
    EXPECT_EQ(refused.error().message(), key->arn() + " is disabled.");
  }
  ASSERT_TRUE(service().schedule_deletion(*key, 7));
  for (const auto& refused : {service().rotate_on_demand(*key), service().enable_rotation(*key, 90),
                              service().disable_rotation(*key)}) {
    EXPECT_EQ(code_of(refused), ErrorCode::kKmsInvalidState);
    EXPECT_EQ(refused.error().message(), key->arn() + " is pending deletion.");
  }
  world_.clock.advance(7 * kDay);
  service().run_due_work();
  const auto gone = service().rotate_on_demand(*key);
  EXPECT_EQ(code_of(gone), ErrorCode::kNotFound);
  EXPECT_EQ(gone.error().message(), "Key '" + key->arn() + "' does not exist");
}

TEST_F(RotationTest, RunningShowsItsStartEncryptsUnderTheOldMaterialAndRefusesAnother) {
  const KeyPtr key = world_.create_key();
  Gate gate;
  hold_generation(gate);
  auto first = std::async(std::launch::async, [&] { return service().rotate_on_demand(*key); });
  gate.await_arrival();
  EXPECT_EQ(status(key).on_demand_started_at, kStart);
  EXPECT_EQ(code_of(service().rotate_on_demand(*key)), ErrorCode::kConflict);
  EXPECT_EQ(materials(key), 1U);
  const auto during = service().encrypt(*world_.newest(key), as_bytes("during"), {});
  ASSERT_TRUE(during) << why(during);
  EXPECT_EQ(during->material_id, key->current_material().record.material_id);
  gate.open();
  EXPECT_TRUE(first.get());
  EXPECT_FALSE(status(key).on_demand_started_at);
  EXPECT_EQ(world_.decrypt(during->blob)->plaintext.text(), "during");
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(RotationTest, OnDemandIsRefusedWhileAnAutomaticOneRuns) {
  const KeyPtr key = world_.create_key();
  ASSERT_TRUE(service().enable_rotation(*key, 90));
  world_.clock.advance(90 * kDay);
  Gate gate;
  hold_generation(gate);
  auto due = std::async(std::launch::async, [&] { service().run_due_work(); });
  gate.await_arrival();
  const auto refused = service().rotate_on_demand(*key);
  EXPECT_EQ(code_of(refused), ErrorCode::kConflict);
  EXPECT_FALSE(status(key).on_demand_started_at);
  gate.open();
  due.get();
  EXPECT_EQ(materials(key), 2U);
  EXPECT_EQ(world_.newest(key)->record().on_demand_rotations, 0);
}

TEST_F(RotationTest, ASettingChangedWhileARotationRunsIsKept) {
  const KeyPtr key = world_.create_key();
  ASSERT_TRUE(service().enable_rotation(*key, 90));
  world_.clock.advance(90 * kDay);
  Gate gate;
  hold_generation(gate);
  auto due = std::async(std::launch::async, [&] { service().run_due_work(); });
  gate.await_arrival();
  ASSERT_TRUE(service().enable_rotation(*key, 300));
  ASSERT_TRUE(service().update_description(*key, "changed meanwhile"));
  gate.open();
  due.get();
  EXPECT_EQ(materials(key), 2U);
  EXPECT_EQ(status(key).next_rotation_at, kStart + 390 * kDay);
  EXPECT_EQ(world_.newest(key)->record().description, "changed meanwhile");
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(RotationTest, AnswersWhenTheTokenIsSlowAndGoesOnByItself) {
  const KeyPtr key = world_.create_key();
  world_.options.material_deadline = 200ms;
  world_.restart();
  Gate gate;
  hold_generation(gate);
  auto answered = service().rotate_on_demand(*key);
  // On a busy machine the deadline may pass before anything is written.
  for (int i = 0; i < 100 && !answered; ++i) answered = service().rotate_on_demand(*key);
  EXPECT_TRUE(answered) << why(answered);
  EXPECT_EQ(materials(key), 1U);
  EXPECT_TRUE(status(key).on_demand_started_at);
  gate.open();
  for (int i = 0; i < 6000 && materials(key) == 1; ++i) std::this_thread::sleep_for(10ms);
  EXPECT_EQ(materials(key), 2U);
  world_.restart();
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(RotationTest, ChangesNothingWhenTheTokenIsSlowBeforeAnythingIsWritten) {
  const KeyPtr key = world_.create_key();
  world_.options.material_deadline = 200ms;
  world_.restart();
  Gate gate;
  world_.token_hook.before = [&](std::string_view call) {
    return call == "check" ? gate.pass() : Result<void>();
  };
  EXPECT_EQ(code_of(service().rotate_on_demand(*key)), ErrorCode::kDependencyTimeout);
  gate.open();
  world_.restart();
  EXPECT_EQ(materials(key), 1U);
  EXPECT_EQ(world_.newest(key)->record(), key->record());
  EXPECT_EQ(world_.expect_whole(), 0U);
}

// --- Events ---

TEST_F(RotationTest, TellsOfEachRotationWhatChanged) {
  const KeyPtr key = world_.create_key();
  ASSERT_TRUE(service().rotate_on_demand(*key));
  ASSERT_TRUE(service().enable_rotation(*key, 90));
  world_.clock.advance(90 * kDay);
  service().run_due_work();
  const auto& rows = world_.newest(key)->materials();
  ASSERT_EQ(rows.size(), 3U);
  const auto told = world_.events.rotations();
  ASSERT_EQ(told.size(), 2U);
  for (std::size_t i = 0; i < told.size(); ++i) {
    EXPECT_EQ(told[i].account, kAccount);
    EXPECT_EQ(told[i].region, kRegion);
    EXPECT_EQ(told[i].key_id, key->id());
    EXPECT_EQ(told[i].key_arn, key->arn());
    EXPECT_EQ(told[i].type, i == 0 ? RotationType::kOnDemand : RotationType::kAutomatic);
    EXPECT_EQ(told[i].previous_material_id, rows[i]->record.material_id);
    EXPECT_EQ(told[i].current_material_id, rows[i + 1]->record.material_id);
    EXPECT_EQ(told[i].rotated_at, rows[i + 1]->record.rotated_at);
  }
}

TEST_F(RotationTest, TellsAgainLaterWhatWasNotTakenTheFirstTime) {
  const KeyPtr key = world_.create_key();
  std::atomic<bool> works{false};
  world_.events.on_tell([&]() -> Result<void> {
    if (!works) return Error(ErrorCode::kKmsInternal);
    return {};
  });
  ASSERT_TRUE(service().rotate_on_demand(*key)) << "the rotation itself has happened";
  const auto first = world_.events.rotations();
  ASSERT_EQ(first.size(), 1U);
  works = true;
  service().run_due_work();
  const auto again = world_.events.rotations();
  ASSERT_EQ(again.size(), 2U);
  EXPECT_EQ(again[1].current_material_id, first[0].current_material_id);
  service().run_due_work();
  EXPECT_EQ(world_.events.rotations().size(), 2U) << "told although it had been taken";
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(RotationTest, TellsAfterARestartWhatWasNotTakenBefore) {
  const KeyPtr key = world_.create_key();
  world_.events.on_tell([]() -> Result<void> { return Error(ErrorCode::kKmsInternal); });
  ASSERT_TRUE(service().rotate_on_demand(*key));
  world_.close();
  world_.events.on_tell(nullptr);
  const std::size_t before = world_.events.rotations().size();
  world_.open();
  EXPECT_EQ(world_.events.rotations().size(), before + 1);
  world_.restart();
  EXPECT_EQ(world_.events.rotations().size(), before + 1);
}

TEST_F(RotationTest, TellsOnceInOrdinaryTimesEvenWhileDueWorkRuns) {
  const KeyPtr key = world_.create_key();
  Gate gate;
  world_.events.on_tell([&] { return gate.pass(); });
  auto rotation = std::async(std::launch::async, [&] { return service().rotate_on_demand(*key); });
  gate.await_arrival();
  // The rotation has happened and is being told; a round of due work must not tell it as well.
  auto due = std::async(std::launch::async, [&] { service().run_due_work(); });
  EXPECT_EQ(due.wait_for(60s), std::future_status::ready);
  gate.open();
  EXPECT_TRUE(rotation.get());
  due.get();
  EXPECT_EQ(world_.events.rotations().size(), 1U);
}

// --- Faults of single steps ---

TEST_F(RotationTest, WhoseGenerationFailsIsWithdrawnAndMayBeTriedAgain) {
  const KeyPtr key = world_.create_key();
  world_.token_hook.before = [](std::string_view call) -> Result<void> {
    if (call == "generate_material") return Error(ErrorCode::kKmsInternal);
    return {};
  };
  EXPECT_EQ(code_of(service().rotate_on_demand(*key)), ErrorCode::kKmsInternal);
  EXPECT_FALSE(status(key).on_demand_started_at);
  EXPECT_EQ(world_.newest(key)->record().on_demand_rotations, 0);
  EXPECT_EQ(world_.expect_whole(), 0U);
  world_.token_hook.before = nullptr;
  EXPECT_TRUE(service().rotate_on_demand(*key));
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(RotationTest, InterruptedByATokenThatIsAwayIsTakenUpWhenItIsBack) {
  const KeyPtr key = world_.create_key();
  world_.token_hook.before = [](std::string_view call) -> Result<void> {
    if (call == "check") return {};
    return Error(ErrorCode::kKeyUnavailable);
  };
  EXPECT_EQ(code_of(service().rotate_on_demand(*key)), ErrorCode::kKeyUnavailable);
  EXPECT_TRUE(status(key).on_demand_started_at);
  service().run_due_work();
  EXPECT_EQ(materials(key), 1U);
  world_.token_hook.before = nullptr;
  service().run_due_work();
  EXPECT_EQ(materials(key), 2U);
  EXPECT_EQ(world_.newest(key)->record().on_demand_rotations, 1);
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(RotationTest, AutomaticThatFailsIsTriedAgain) {
  const KeyPtr key = world_.create_key();
  ASSERT_TRUE(service().enable_rotation(*key, 90));
  world_.clock.advance(90 * kDay);
  int failures = 0;
  world_.token_hook.before = [&](std::string_view call) -> Result<void> {
    if (call == "generate_material" && ++failures <= 3) return Error(ErrorCode::kKmsInternal);
    return {};
  };
  for (int i = 0; i < 3; ++i) {
    service().run_due_work();
    EXPECT_EQ(materials(key), 1U);
    EXPECT_EQ(status(key).next_rotation_at, kStart + 90 * kDay) << "a failure moved the date";
  }
  service().run_due_work();
  EXPECT_EQ(materials(key), 2U);
  EXPECT_EQ(world_.expect_whole(), 0U);
}

}  // namespace
}  // namespace keyhold::kms

// Store and token compared: what a crash left is finished, what is strange is reported.
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <future>

#include "kms/service.h"
#include "tests/kms/fixture.h"

namespace keyhold::kms {
namespace {

using namespace testing;
using ::testing::Test;

class ReconcileTest : public Test {
 protected:
  void SetUp() override {
    ASSERT_NO_FATAL_FAILURE(world_.open());
    service().run_due_work();  // the round that every start begins with is over
  }
  Service& service() { return world_.service(); }

  static bool mentions(const std::vector<std::string>& lines, std::string_view text) {
    return std::ranges::any_of(
        lines, [&](const std::string& line) { return line.find(text) != std::string::npos; });
  }

  /// Rows as they are after the first step of a birth.
  store::IntentRecord begin_birth(const store::KeyRecord& record) {
    const auto intent = an_intent(record, store::IntentKind::kCreateKey);
    EXPECT_TRUE(world_.store().begin_key(record, intent));
    return intent;
  }
  /// Rows as they are after the first step of a rotation.
  store::IntentRecord begin_rotation(const KeyPtr& key,
                                     store::IntentKind kind = store::IntentKind::kRotateOnDemand) {
    const auto intent = an_intent(key->record(), kind);
    EXPECT_TRUE(world_.store().begin_material(intent, world_.newest(key)->record().version));
    return intent;
  }
  token::GeneratedMaterial generate(const ObjectName& name) {
    const auto made = world_.token().generate_material(name, "test", {});
    EXPECT_TRUE(made) << why(made);
    return made ? *made : token::GeneratedMaterial();
  }

  World world_;
};

TEST_F(ReconcileTest, FindsNothingWhereAllIsWell) {
  const KeyPtr key = world_.create_key();
  ASSERT_TRUE(service().rotate_on_demand(*key));
  const auto report = world_.reconcile();
  EXPECT_TRUE(report.finished.empty());
  EXPECT_TRUE(report.withdrawn.empty());
  EXPECT_TRUE(report.strangers.empty());
  EXPECT_TRUE(report.alarms.empty());
}

TEST_F(ReconcileTest, ReportsAStrangerEachTimeAndNeverDestroysIt) {
  const ObjectName stranger = draw_name();
  generate(stranger);
  for (int i = 0; i < 3; ++i) {
    const auto report = world_.reconcile();
    ASSERT_EQ(report.strangers.size(), 1U);
    EXPECT_TRUE(mentions(report.strangers, stranger.hex()));
    EXPECT_EQ(world_.object_names(), std::vector<std::string>{stranger.hex()});
    world_.restart();
  }
}

TEST_F(ReconcileTest, TakesTheDeploymentsOwnObjectsForNoStrangers) {
  const ObjectName own = draw_name();
  generate(own);
  world_.options.own_objects.push_back(own);
  world_.restart();
  EXPECT_TRUE(world_.reconcile().strangers.empty());
}

TEST_F(ReconcileTest, RaisesAnAlarmForAMaterialWhoseObjectIsMissingAndKeepsItsRows) {
  const KeyPtr key = world_.create_key();
  const KeyPtr good = world_.create_key();
  const auto& row = key->current_material().record;
  ASSERT_TRUE(world_.token().destroy_material(row.object_name));
  for (int life = 0; life < 2; ++life) {
    const auto report = world_.reconcile();
    ASSERT_EQ(report.alarms.size(), 1U);
    EXPECT_TRUE(mentions(report.alarms, row.material_id));
    EXPECT_TRUE(mentions(report.alarms, "missing"));
    EXPECT_EQ(code_of(service().encrypt(*world_.newest(key), as_bytes("x"), {})),
              ErrorCode::kKmsInternal);
    EXPECT_FALSE(world_.encrypt(good, "x").empty()) << "one key's loss is another's";
    EXPECT_EQ(world_.store().load()->materials.size(), 2U);
    world_.restart();
  }
}

TEST_F(ReconcileTest, RaisesAnAlarmForAnotherKeyUnderAMaterialsNameAndNeverUsesIt) {
  const KeyPtr key = world_.create_key();
  const auto& row = key->current_material().record;
  const Bytes blob = world_.encrypt(key, "text");
  world_.close();
  world_.open();
  ASSERT_TRUE(world_.token().destroy_material(row.object_name));
  generate(row.object_name);
  for (int life = 0; life < 2; ++life) {
    const auto report = world_.reconcile();
    ASSERT_EQ(report.alarms.size(), 1U);
    EXPECT_TRUE(mentions(report.alarms, row.material_id));
    EXPECT_TRUE(mentions(report.alarms, "check value"));
    EXPECT_EQ(code_of(service().encrypt(*world_.newest(key), as_bytes("x"), {})),
              ErrorCode::kKmsInternal);
    EXPECT_EQ(code_of(world_.decrypt(blob)), ErrorCode::kKmsInternal);
    world_.restart();
  }
}

TEST_F(ReconcileTest, RaisesAnAlarmForTwoObjectsOfOneNameWhileTheRightOneGoesOnBeingUsed) {
  const KeyPtr key = world_.create_key();
  const Bytes blob = world_.encrypt(key, "text");
  generate(key->current_material().record.object_name);
  world_.restart();
  const auto report = world_.reconcile();
  ASSERT_EQ(report.alarms.size(), 1U);
  EXPECT_TRUE(mentions(report.alarms, "2 objects"));
  const auto plain = world_.decrypt(blob);
  ASSERT_TRUE(plain) << why(plain);
  EXPECT_EQ(plain->plaintext.text(), "text");
}

TEST_F(ReconcileTest, AbandonsABirthThatLeftNoObject) {
  const auto record = a_key_record();
  begin_birth(record);
  world_.restart();
  EXPECT_EQ(world_.newest(std::make_shared<const Key>(a_key(record))), nullptr);
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(ReconcileTest, FinishesABirthWhoseObjectIsWhole) {
  auto record = a_key_record();
  record.description = "adopted";
  const auto intent = begin_birth(record);
  generate(intent.object_name);
  world_.restart();
  const auto key = service().inspect_key(record.id);
  ASSERT_TRUE(key);
  EXPECT_EQ(key->record().description, "adopted");
  EXPECT_EQ(key->current_material().record.object_name, intent.object_name);
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(ReconcileTest, AbandonsABirthThatLeftTwoObjectsAndReportsBoth) {
  const auto record = a_key_record();
  const auto intent = begin_birth(record);
  generate(intent.object_name);
  generate(intent.object_name);
  world_.restart();
  EXPECT_EQ(service().inspect_key(record.id), nullptr);
  EXPECT_EQ(world_.expect_whole(), 2U);
}

TEST_F(ReconcileTest, FinishesARotationWhoseObjectIsWhole) {
  const KeyPtr key = world_.create_key();
  const auto intent = begin_rotation(key);
  generate(intent.object_name);
  world_.restart();
  const KeyPtr now = world_.newest(key);
  ASSERT_EQ(now->materials().size(), 2U);
  EXPECT_EQ(now->current_material().record.object_name, intent.object_name);
  EXPECT_EQ(now->current_material().record.rotation_type, RotationType::kOnDemand);
  EXPECT_EQ(now->record().on_demand_rotations, 1);
  EXPECT_EQ(world_.events.rotations().size(), 1U);
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(ReconcileTest, FinishesARotationThatLeftNoObjectUnderANewName) {
  const KeyPtr key = world_.create_key();
  const auto intent = begin_rotation(key);
  world_.restart();
  const KeyPtr now = world_.newest(key);
  ASSERT_EQ(now->materials().size(), 2U);
  EXPECT_NE(now->current_material().record.object_name, intent.object_name);
  EXPECT_EQ(now->record().on_demand_rotations, 1);
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(ReconcileTest, GivesUpAnObjectNameWithTwoObjectsAndReportsThem) {
  const KeyPtr key = world_.create_key();
  const auto intent = begin_rotation(key);
  generate(intent.object_name);
  generate(intent.object_name);
  world_.restart();
  const KeyPtr now = world_.newest(key);
  ASSERT_EQ(now->materials().size(), 2U);
  EXPECT_NE(now->current_material().record.object_name, intent.object_name);
  EXPECT_EQ(world_.expect_whole(), 2U);
}

TEST_F(ReconcileTest, FinishesAnAutomaticRotationAndItsSchedule) {
  const KeyPtr key = world_.create_key();
  ASSERT_TRUE(service().enable_rotation(*key, 90));
  begin_rotation(key, store::IntentKind::kRotateAutomatic);
  world_.close();
  world_.clock.advance(90 * kDay);
  world_.open();
  service().run_due_work();
  const KeyPtr now = world_.newest(key);
  ASSERT_EQ(now->materials().size(), 2U);
  EXPECT_EQ(now->current_material().record.rotation_type, RotationType::kAutomatic);
  EXPECT_EQ(now->record().next_rotation_at, kStart + 180 * kDay);
  EXPECT_EQ(now->record().on_demand_rotations, 0);
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(ReconcileTest, GoesOnWithADestructionThatHadBegun) {
  const KeyPtr key = world_.create_key();
  ASSERT_TRUE(service().schedule_deletion(*key, 7));
  auto record = world_.newest(key)->record();
  record.destroying = true;
  ASSERT_TRUE(world_.store().update_key(record));
  world_.restart();
  EXPECT_EQ(world_.newest(key), nullptr);
  EXPECT_TRUE(world_.object_names().empty());
  EXPECT_EQ(world_.events.deletions().size(), 1U);
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(ReconcileTest, ReportsItsOwnWorkWhenAskedForIt) {
  // A rotation that the token interrupted, taken up by reconcile itself.
  const KeyPtr key = world_.create_key();
  world_.token_hook.before = [](std::string_view call) -> Result<void> {
    if (call == "check") return {};
    return Error(ErrorCode::kKeyUnavailable);
  };
  EXPECT_FALSE(service().rotate_on_demand(*key));
  const auto name = world_.newest(key)->running_intent()->object_name;
  world_.token_hook.before = nullptr;
  const auto report = world_.reconcile();
  EXPECT_TRUE(mentions(report.finished, key->arn()));
  EXPECT_TRUE(mentions(report.withdrawn, name.hex()));
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(ReconcileTest, CallsNoRotationFinishedThatAnotherThreadIsAt) {
  const KeyPtr key = world_.create_key();
  std::promise<void> arrived;
  std::promise<void> go_on;
  auto may_go_on = go_on.get_future();
  world_.token_hook.before = [&](std::string_view call) -> Result<void> {
    if (call == "generate_material") {
      arrived.set_value();
      may_go_on.wait();
    }
    return {};
  };
  auto rotation = std::async(std::launch::async, [&] { return service().rotate_on_demand(*key); });
  arrived.get_future().wait();
  const auto report = world_.reconcile();
  EXPECT_TRUE(report.finished.empty()) << report.finished.front();
  EXPECT_TRUE(report.withdrawn.empty()) << report.withdrawn.front();
  EXPECT_TRUE(report.alarms.empty()) << report.alarms.front();
  go_on.set_value();
  EXPECT_TRUE(rotation.get());
}

TEST_F(ReconcileTest, SettlesABirthThatTheTokenInterruptedOnceItIsBack) {
  world_.token_hook.before = [](std::string_view call) -> Result<void> {
    if (call == "check") return {};
    return Error(ErrorCode::kKeyUnavailable);
  };
  EXPECT_EQ(code_of(service().create_key(world_.scope, {})), ErrorCode::kKeyUnavailable);
  service().run_due_work();
  EXPECT_EQ(world_.store().load()->unborn_keys.size(), 1U) << "given up while the token is away";
  world_.token_hook.before = nullptr;
  service().run_due_work();
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(ReconcileTest, RefusesToStartWithAKeyWithoutMaterial) {
  // A start that shrugged at this would answer "no such key" for a key that was acknowledged.
  const KeyPtr key = world_.create_key();
  world_.close();
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open((world_.folder() / "keyhold.db").c_str(), &database), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(database, "DELETE FROM key_material", nullptr, nullptr, nullptr),
            SQLITE_OK);
  EXPECT_GT(sqlite3_changes(database), 0);
  sqlite3_close(database);
  EXPECT_EQ(code_of(world_.try_open()), ErrorCode::kKmsInternal);
}

}  // namespace
}  // namespace keyhold::kms

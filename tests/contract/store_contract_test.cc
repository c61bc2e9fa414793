// What every Store promises, on every engine.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <thread>
#include <vector>

#include "store/sqlite_store.h"
#include "tests/store/records.h"
#include "tests/store/temporary_folder.h"

namespace keyhold::store {
namespace {

using namespace keyhold::store::testing;
using ::keyhold::testing::TemporaryFolder;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

struct Engine {
  std::string name;
  std::function<Result<std::unique_ptr<Store>>(const std::string& path)> open;
  /// Runs SQL behind the back of a store that is not open.
  std::function<void(const std::string& path, const std::string& sql)> execute;
};

void PrintTo(const Engine& engine, std::ostream* out) { *out << engine.name; }

Engine sqlite() {
  return {.name = "sqlite",
          .open = [](const std::string& path) -> Result<std::unique_ptr<Store>> {
            TRY_ASSIGN(std::unique_ptr<Store> store, SqliteStore::open(path));
            return store;
          },
          .execute =
              [](const std::string& path, const std::string& sql) {
                sqlite3* database = nullptr;
                ASSERT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
                EXPECT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
                    << sqlite3_errmsg(database);
                EXPECT_EQ(sqlite3_total_changes(database), 1) << "the statement found no row";
                sqlite3_close(database);
              }};
}

class StoreContract : public ::testing::TestWithParam<Engine> {
 protected:
  StoreContract() { reopen(); }

  void reopen() {
    store_.reset();
    auto opened = GetParam().open(folder_.file("store.db"));
    ASSERT_TRUE(opened.has_value()) << reason(opened);
    store_ = *std::move(opened);
  }

  void execute(const std::string& sql) {
    store_.reset();
    GetParam().execute(folder_.file("store.db"), sql);
    reopen();
  }

  Contents load() {
    auto contents = store_->load();
    EXPECT_TRUE(contents.has_value()) << reason(contents);
    return contents ? *std::move(contents) : Contents{};
  }

  /// A born key and its first material.
  std::pair<KeyRecord, MaterialRecord> born() {
    const KeyRecord key = a_key();
    const IntentRecord intent = an_intent(key);
    const MaterialRecord material = material_of(intent);
    EXPECT_OK(store_->begin_key(key, intent));
    EXPECT_OK(store_->finish_key(material));
    return {key, material};
  }

  TemporaryFolder folder_;
  std::unique_ptr<Store> store_;
};

TEST_P(StoreContract, ANewStoreIsEmptyAndAnswers) {
  expect_same(load(), Contents{});
  EXPECT_OK(store_->check());
}

// Settings

TEST_P(StoreContract, ASettingIsAbsentUntilPutAndThenTheLastOnePut) {
  const auto absent = store_->setting("token.serial");
  ASSERT_TRUE(absent.has_value());
  EXPECT_EQ(*absent, std::nullopt);
  EXPECT_OK(store_->put_setting("token.serial", "first"));
  EXPECT_OK(store_->put_setting("token.serial", "second"));
  EXPECT_OK(store_->put_setting("other", ""));
  reopen();
  EXPECT_EQ(*store_->setting("token.serial"), "second");
  EXPECT_EQ(*store_->setting("other"), "");
}

// Birth

TEST_P(StoreContract, AKeyIsUnbornUntilItsFirstMaterialIsThere) {
  const KeyRecord key = a_key();
  const IntentRecord intent = an_intent(key);
  EXPECT_OK(store_->begin_key(key, intent));
  expect_same(load(), Contents{.unborn_keys = {key}, .intents = {intent}});

  const MaterialRecord material = material_of(intent);
  EXPECT_OK(store_->finish_key(material));
  expect_same(load(), Contents{.keys = {key}, .materials = {material}});
}

TEST_P(StoreContract, EveryFieldOfAKeyComesBackAsItWent) {
  auto [key, material] = born();
  key.state = KeyState::kPendingDeletion;
  key.deletion_at = at(-5);
  key.destroying = true;
  key.rotation_enabled = true;
  key.rotation_period_days = 2560;
  key.next_rotation_at = at(1798741231999);
  key.on_demand_rotations = 10;
  key.description = "";
  key.policy = "{\n \"Version\" : \"2012-10-17\" }";
  key.tags = {{"", "no name"}, {"Zoo", ""}, {"cost center", "caf\xc3\xa9 '1'"}};
  EXPECT_OK(store_->update_key(key));
  key.version += 1;
  reopen();
  EXPECT_THAT(load().keys, ElementsAre(key));
}

TEST_P(StoreContract, TagsArePartOfTheirKeyFromItsBeginning) {
  KeyRecord key = a_key();
  key.tags = {{"a", "1"}, {"b", "2"}};
  KeyRecord other = a_key();
  other.tags = {{"a", "3"}};
  const IntentRecord intent = an_intent(key);
  EXPECT_OK(store_->begin_key(key, intent));
  EXPECT_OK(store_->begin_key(other, an_intent(other)));
  EXPECT_THAT(load().unborn_keys, UnorderedElementsAre(key, other));
  EXPECT_OK(store_->finish_key(material_of(intent)));
  EXPECT_THAT(load().keys, ElementsAre(key));

  key.tags = {{"b", "4"}};
  EXPECT_OK(store_->update_key(key));
  key.version += 1;
  EXPECT_THAT(load().keys, ElementsAre(key));
  EXPECT_OK(store_->abandon_key(other.id));
  EXPECT_OK(store_->erase_key(key.id));
  EXPECT_OK(store_->begin_key(other, an_intent(other)));
  EXPECT_THAT(load().unborn_keys, ElementsAre(other));
}

TEST_P(StoreContract, AnUpdateThatConflictsLeavesTheTags) {
  auto [key, material] = born();
  KeyRecord stale = key;
  key.tags = {{"kept", "yes"}};
  EXPECT_OK(store_->update_key(key));
  key.version += 1;
  stale.tags = {{"lost", "yes"}};
  EXPECT_REFUSED(ErrorCode::kConflict, store_->update_key(stale));
  EXPECT_THAT(load().keys, ElementsAre(key));
}

TEST_P(StoreContract, AKeyIsFinishedOnceOnly) {
  const KeyRecord key = a_key();
  const IntentRecord intent = an_intent(key);
  EXPECT_OK(store_->begin_key(key, intent));
  EXPECT_OK(store_->finish_key(material_of(intent)));
  const Contents before = load();
  EXPECT_REFUSED(ErrorCode::kConflict, store_->finish_key(material_of(intent)));
  EXPECT_REFUSED(ErrorCode::kConflict, store_->begin_key(key, an_intent(key)));
  expect_same(load(), before);
}

TEST_P(StoreContract, AMaterialNeedsTheIntentOfItsNameAndKey) {
  const KeyRecord key = a_key();
  const IntentRecord intent = an_intent(key);
  EXPECT_OK(store_->begin_key(key, intent));
  const Contents before = load();
  EXPECT_REFUSED(ErrorCode::kConflict, store_->finish_key(material_of(an_intent(key))));
  MaterialRecord foreign = material_of(intent);
  foreign.key_id = a_key().id;
  EXPECT_REFUSED(ErrorCode::kConflict, store_->finish_key(foreign));
  expect_same(load(), before);
}

TEST_P(StoreContract, AnAbandonedKeyLeavesNothing) {
  const KeyRecord key = a_key();
  EXPECT_OK(store_->begin_key(key, an_intent(key)));
  EXPECT_OK(store_->abandon_key(key.id));
  expect_same(load(), Contents{});
  EXPECT_REFUSED(ErrorCode::kConflict, store_->abandon_key(key.id));
}

TEST_P(StoreContract, AKeyWhoseIntentWasWithdrawnCanBeAbandoned) {
  const KeyRecord key = a_key();
  const IntentRecord intent = an_intent(key);
  EXPECT_OK(store_->begin_key(key, intent));
  EXPECT_OK(store_->withdraw_intent(intent.object_name));
  expect_same(load(), Contents{.unborn_keys = {key}});
  EXPECT_OK(store_->abandon_key(key.id));
  expect_same(load(), Contents{});
}

TEST_P(StoreContract, ABornKeyCannotBeAbandoned) {
  const auto [key, material] = born();
  const IntentRecord rotation = an_intent(key, IntentKind::kRotateOnDemand);
  EXPECT_OK(store_->begin_material(rotation, key.version));
  EXPECT_REFUSED(ErrorCode::kConflict, store_->abandon_key(key.id));
  expect_same(load(), Contents{.keys = {key}, .materials = {material}, .intents = {rotation}});
}

TEST_P(StoreContract, AnUnbornKeyIsNotUpdatedNorRotated) {
  const KeyRecord key = a_key();
  const IntentRecord intent = an_intent(key);
  EXPECT_OK(store_->begin_key(key, intent));
  EXPECT_REFUSED(ErrorCode::kConflict, store_->update_key(key));
  EXPECT_OK(store_->withdraw_intent(intent.object_name));
  EXPECT_REFUSED(ErrorCode::kConflict,
                 store_->begin_material(an_intent(key, IntentKind::kRotateOnDemand), key.version));
  expect_same(load(), Contents{.unborn_keys = {key}});
}

TEST_P(StoreContract, AKeyThatCannotHaveItsIntentIsNotBegun) {
  const auto [key, material] = born();
  const KeyRecord other = a_key();
  IntentRecord intent = an_intent(key, IntentKind::kRotateOnDemand);
  EXPECT_OK(store_->begin_material(intent, key.version));
  const Contents before = load();
  intent.key_id = other.id;
  intent.kind = IntentKind::kCreateKey;
  EXPECT_REFUSED(ErrorCode::kConflict, store_->begin_key(other, intent));
  expect_same(load(), before);
}

// Updates

TEST_P(StoreContract, OfTwoUpdatesOfTheSameVersionTheSecondConflicts) {
  auto [key, material] = born();
  KeyRecord first = key;
  first.description = "first";
  KeyRecord second = key;
  second.description = "second";
  EXPECT_OK(store_->update_key(first));
  EXPECT_REFUSED(ErrorCode::kConflict, store_->update_key(second));
  first.version += 1;
  EXPECT_THAT(load().keys, ElementsAre(first));
  second.version = first.version;
  EXPECT_OK(store_->update_key(second));
  second.version += 1;
  EXPECT_THAT(load().keys, ElementsAre(second));
}

TEST_P(StoreContract, AnUpdateOfAKeyThatIsGoneConflicts) {
  EXPECT_REFUSED(ErrorCode::kConflict, store_->update_key(a_key()));
  expect_same(load(), Contents{});
}

// Rotation

TEST_P(StoreContract, ARotationAddsTheMaterialWritesTheKeyAndEndsTheIntent) {
  auto [key, first] = born();
  const IntentRecord intent = an_intent(key, IntentKind::kRotateOnDemand);
  EXPECT_OK(store_->begin_material(intent, key.version));
  expect_same(load(), Contents{.keys = {key}, .materials = {first}, .intents = {intent}});

  key.on_demand_rotations = 1;
  const MaterialRecord second = material_of(intent, 1);
  EXPECT_OK(store_->finish_rotation(key, second));
  key.version += 1;
  expect_same(load(), Contents{.keys = {key}, .materials = {first, second}});
}

TEST_P(StoreContract, MaterialsComeByKeyAndThenBySequence) {
  auto [key, first] = born();
  std::vector<MaterialRecord> expected{first};
  for (int sequence = 1; sequence <= 12; ++sequence) {
    const IntentRecord intent = an_intent(key, IntentKind::kRotateAutomatic);
    EXPECT_OK(store_->begin_material(intent, key.version));
    expected.push_back(material_of(intent, sequence));
    EXPECT_OK(store_->finish_rotation(key, expected.back()));
    key.version += 1;
  }
  const auto [other_key, other_material] = born();
  expected.insert(other_key.id < key.id ? expected.begin() : expected.end(), other_material);
  EXPECT_EQ(load().materials, expected);
}

TEST_P(StoreContract, ARotationBeginsOnlyOnTheVersionThatWasRead) {
  auto [key, material] = born();
  EXPECT_OK(store_->update_key(key));
  EXPECT_REFUSED(ErrorCode::kConflict,
                 store_->begin_material(an_intent(key, IntentKind::kRotateOnDemand), key.version));
  EXPECT_THAT(load().intents, IsEmpty());
}

TEST_P(StoreContract, AKeyHasOneIntentAtATime) {
  const auto [key, material] = born();
  const IntentRecord intent = an_intent(key, IntentKind::kRotateOnDemand);
  EXPECT_OK(store_->begin_material(intent, key.version));
  EXPECT_REFUSED(ErrorCode::kConflict,
                 store_->begin_material(an_intent(key, IntentKind::kRotateAutomatic), key.version));
  EXPECT_THAT(load().intents, ElementsAre(intent));
}

// Each of these fails at another statement of finish_rotation; what ran before it must not stay.
TEST_P(StoreContract, AFailedRotationChangesNothing) {
  auto [key, first] = born();
  const IntentRecord intent = an_intent(key, IntentKind::kRotateOnDemand);
  EXPECT_OK(store_->begin_material(intent, key.version));
  const Contents before = load();
  KeyRecord rotated = key;
  rotated.on_demand_rotations = 1;
  const MaterialRecord good = material_of(intent, 1);

  KeyRecord stale = rotated;
  stale.version += 1;
  EXPECT_REFUSED(ErrorCode::kConflict, store_->finish_rotation(stale, good));
  expect_same(load(), before);

  MaterialRecord without_intent = good;
  without_intent.object_name = draw_name();
  EXPECT_REFUSED(ErrorCode::kConflict, store_->finish_rotation(rotated, without_intent));
  expect_same(load(), before);

  MaterialRecord same_sequence = good;
  same_sequence.sequence = first.sequence;
  EXPECT_REFUSED(ErrorCode::kConflict, store_->finish_rotation(rotated, same_sequence));
  expect_same(load(), before);

  MaterialRecord same_material = good;
  same_material.material_id = first.material_id;
  EXPECT_REFUSED(ErrorCode::kConflict, store_->finish_rotation(rotated, same_material));
  expect_same(load(), before);

  MaterialRecord foreign = good;
  foreign.key_id = born().first.id;
  const Contents with_other = load();
  EXPECT_REFUSED(ErrorCode::kKmsInternal, store_->finish_rotation(rotated, foreign));
  expect_same(load(), with_other);

  EXPECT_OK(store_->finish_rotation(rotated, good));
}

TEST_P(StoreContract, AnIntentGoesOnUnderANewNameAndOnlyThatOne) {
  auto [key, first] = born();
  IntentRecord intent = an_intent(key, IntentKind::kRotateOnDemand);
  EXPECT_OK(store_->begin_material(intent, key.version));
  const MaterialRecord old_attempt = material_of(intent, 1);
  const ObjectName old_name = intent.object_name;
  intent.object_name = draw_name();
  EXPECT_OK(store_->replace_intent(old_name, intent.object_name));
  EXPECT_THAT(load().intents, ElementsAre(intent));

  EXPECT_REFUSED(ErrorCode::kConflict, store_->replace_intent(old_name, draw_name()));
  EXPECT_REFUSED(ErrorCode::kConflict, store_->finish_rotation(key, old_attempt));
  EXPECT_OK(store_->finish_rotation(key, material_of(intent, 1)));
}

TEST_P(StoreContract, AnIntentCannotTakeTheNameOfAMaterialOrOfAnotherIntent) {
  const auto [key, material] = born();
  const auto [other_key, other_material] = born();
  const IntentRecord intent = an_intent(key, IntentKind::kRotateOnDemand);
  const IntentRecord other = an_intent(other_key, IntentKind::kRotateOnDemand);
  EXPECT_OK(store_->begin_material(intent, key.version));
  EXPECT_OK(store_->begin_material(other, other_key.version));
  const Contents before = load();
  EXPECT_REFUSED(ErrorCode::kConflict,
                 store_->replace_intent(intent.object_name, material.object_name));
  EXPECT_REFUSED(ErrorCode::kConflict,
                 store_->replace_intent(intent.object_name, other.object_name));
  expect_same(load(), before);
}

TEST_P(StoreContract, AWithdrawnIntentIsGoneAndTheKeyCanRotateAgain) {
  const auto [key, material] = born();
  const IntentRecord intent = an_intent(key, IntentKind::kRotateOnDemand);
  EXPECT_OK(store_->begin_material(intent, key.version));
  EXPECT_OK(store_->withdraw_intent(intent.object_name));
  expect_same(load(), Contents{.keys = {key}, .materials = {material}});
  EXPECT_REFUSED(ErrorCode::kConflict, store_->withdraw_intent(intent.object_name));
  EXPECT_OK(store_->begin_material(intent, key.version));
}

TEST_P(StoreContract, AMaterialIsAnnouncedOnceMarked) {
  const auto [key, first] = born();
  const IntentRecord intent = an_intent(key, IntentKind::kRotateOnDemand);
  EXPECT_OK(store_->begin_material(intent, key.version));
  MaterialRecord second = material_of(intent, 1);
  EXPECT_OK(store_->finish_rotation(key, second));
  EXPECT_FALSE(load().materials.back().announced);
  EXPECT_OK(store_->mark_announced(second.object_name));
  second.announced = true;
  EXPECT_THAT(load().materials, ElementsAre(first, second));
  EXPECT_REFUSED(ErrorCode::kConflict, store_->mark_announced(draw_name()));
}

// Imports

TEST_P(StoreContract, AKeyToBeImportedIsBornWithoutMaterial) {
  KeyRecord key = a_key();
  key.origin = KeyOrigin::kExternal;
  key.state = KeyState::kPendingImport;
  key.tags = {{"a", "1"}};
  EXPECT_OK(store_->insert_key(key));
  expect_same(load(), {.keys = {key}});
  EXPECT_REFUSED(ErrorCode::kConflict, store_->insert_key(key));
  reopen();
  expect_same(load(), {.keys = {key}});
}

TEST_P(StoreContract, AnImportAddsItsMaterialAndAnotherOfTheSameIdTakesItsPlace) {
  KeyRecord key = a_key();
  EXPECT_OK(store_->insert_key(key));
  const IntentRecord first = an_intent(key, IntentKind::kImportKeyMaterial);
  EXPECT_OK(store_->begin_material(first, key.version));
  MaterialRecord material = material_of(first);
  material.material_id = std::string(64, '7');
  material.custody = Custody::kImported;
  material.valid_to = at(1795531460000);
  material.description = "from the safe";
  material.standing = MaterialStanding::kPendingRotation;
  EXPECT_OK(store_->finish_import(key, material));
  key.version += 1;
  expect_same(load(), {.keys = {key}, .materials = {material}});
  EXPECT_OK(store_->reserve_invocations(material.object_name, 5));

  const IntentRecord second = an_intent(key, IntentKind::kImportKeyMaterial);
  EXPECT_OK(store_->begin_material(second, key.version));
  material.object_name = second.object_name;
  material.valid_to = std::nullopt;
  material.standing = MaterialStanding::kPermanent;
  key.state = KeyState::kDisabled;
  EXPECT_OK(store_->finish_import(key, material));
  key.version += 1;
  expect_same(load(), {.keys = {key}, .materials = {material}});
  const auto counted = store_->reserve_invocations(material.object_name, 1);
  ASSERT_TRUE(counted.has_value()) << reason(counted);
  EXPECT_EQ(*counted, 5U) << "an import again starts no new count";
}

TEST_P(StoreContract, AnImportNeedsItsIntentAndTheVersionThatWasRead) {
  KeyRecord key = a_key();
  EXPECT_OK(store_->insert_key(key));
  const IntentRecord intent = an_intent(key, IntentKind::kImportKeyMaterial);
  EXPECT_REFUSED(ErrorCode::kConflict, store_->finish_import(key, material_of(intent)));
  EXPECT_OK(store_->begin_material(intent, key.version));
  KeyRecord stale = key;
  stale.version += 1;
  EXPECT_REFUSED(ErrorCode::kConflict, store_->finish_import(stale, material_of(intent)));
  KeyRecord other = a_key();
  EXPECT_REFUSED(ErrorCode::kKmsInternal, store_->finish_import(other, material_of(intent)));
  expect_same(load(), {.keys = {key}, .intents = {intent}});
}

TEST_P(StoreContract, AMaterialIsWrittenAndForgottenTogetherWithItsKey) {
  auto [key, material] = born();
  material.presence = MaterialPresence::kExpiring;
  material.valid_to = at(1795531460000);
  key.state = KeyState::kPendingImport;
  EXPECT_OK(store_->update_material(key, material));
  key.version += 1;
  expect_same(load(), {.keys = {key}, .materials = {material}});

  KeyRecord stale = key;
  stale.version -= 1;
  MaterialRecord absent = material;
  absent.presence = MaterialPresence::kAbsent;
  EXPECT_REFUSED(ErrorCode::kConflict, store_->update_material(stale, absent));
  EXPECT_REFUSED(ErrorCode::kConflict, store_->forget_material(stale, material.material_id));
  EXPECT_REFUSED(ErrorCode::kConflict, store_->forget_material(key, std::string(64, '0')));
  MaterialRecord stranger = material;
  stranger.material_id = std::string(64, '0');
  EXPECT_REFUSED(ErrorCode::kConflict, store_->update_material(key, stranger));
  expect_same(load(), {.keys = {key}, .materials = {material}});

  EXPECT_OK(store_->forget_material(key, material.material_id));
  key.version += 1;
  expect_same(load(), {.keys = {key}});
}

TEST_P(StoreContract, AWrappingKeyIsPutErasedAndGoesWithItsKey) {
  const auto [key, material] = born();
  WrappingKeyRecord one = a_wrapping_key(key);
  EXPECT_OK(store_->put_wrapping_key(one));
  expect_same(load(), {.keys = {key}, .materials = {material}, .wrapping_keys = {one}});
  one.public_key = {0x30, 0x01};
  one.expires_at = at(1795531470000);
  EXPECT_OK(store_->put_wrapping_key(one));
  reopen();
  expect_same(load(), {.keys = {key}, .materials = {material}, .wrapping_keys = {one}});
  EXPECT_OK(store_->erase_wrapping_key(one.object_name));
  EXPECT_OK(store_->erase_wrapping_key(one.object_name));
  expect_same(load(), {.keys = {key}, .materials = {material}});

  EXPECT_OK(store_->put_wrapping_key(one));
  EXPECT_OK(store_->erase_key(key.id));
  expect_same(load(), {});
  EXPECT_REFUSED(ErrorCode::kConflict, store_->put_wrapping_key(one));
}

// Deletion

TEST_P(StoreContract, AnErasedKeyTakesItsMaterialsIntentsAndAliasesAndNothingElse) {
  auto [key, material] = born();
  const auto [kept_key, kept_material] = born();
  const AliasRecord kept_alias = an_alias(kept_key, "alias/kept");
  EXPECT_OK(store_->insert_alias(an_alias(key, "alias/one")));
  EXPECT_OK(store_->insert_alias(an_alias(key, "alias/two")));
  EXPECT_OK(store_->insert_alias(kept_alias));
  for (int sequence = 1; sequence <= 2; ++sequence) {
    const IntentRecord intent = an_intent(key, IntentKind::kRotateOnDemand);
    EXPECT_OK(store_->begin_material(intent, key.version));
    EXPECT_OK(store_->finish_rotation(key, material_of(intent, sequence)));
    key.version += 1;
  }
  EXPECT_OK(store_->begin_material(an_intent(key, IntentKind::kRotateOnDemand), key.version));

  EXPECT_OK(store_->erase_key(key.id));
  const Contents rest{.keys = {kept_key}, .materials = {kept_material}, .aliases = {kept_alias}};
  expect_same(load(), rest);
  EXPECT_REFUSED(ErrorCode::kConflict, store_->erase_key(key.id));
  reopen();
  expect_same(load(), rest);
}

// Grants

TEST_P(StoreContract, EveryFieldOfAGrantComesBackAsItWent) {
  const auto [key, material] = born();
  GrantRecord one = a_grant(key);
  GrantRecord two = a_grant(key);
  two.name = two.retiring_principal = two.source_arn = "";
  two.context_constraint = ContextConstraint::kNone;
  two.context.clear();
  two.operations = {GrantOperation::kDeriveSharedSecret};
  EXPECT_OK(store_->insert_grant(one));
  EXPECT_OK(store_->insert_grant(two));
  if (two.grant_id < one.grant_id) std::swap(one, two);
  reopen();
  EXPECT_THAT(load().grants, ElementsAre(one, two));
}

TEST_P(StoreContract, AGrantIsInsertedOnceAndDeletedOnce) {
  const auto [key, material] = born();
  const GrantRecord grant = a_grant(key);
  EXPECT_OK(store_->insert_grant(grant));
  EXPECT_REFUSED(ErrorCode::kConflict, store_->insert_grant(grant));
  EXPECT_THAT(load().grants, ElementsAre(grant));
  EXPECT_OK(store_->delete_grant(grant.grant_id));
  EXPECT_REFUSED(ErrorCode::kNotFound, store_->delete_grant(grant.grant_id));
  EXPECT_THAT(load().grants, IsEmpty());
  // Nothing of it is left to be in the way.
  EXPECT_OK(store_->insert_grant(grant));
}

TEST_P(StoreContract, AGrantOnAKeyThatIsGoneConflicts) {
  EXPECT_REFUSED(ErrorCode::kConflict, store_->insert_grant(a_grant(a_key())));
}

TEST_P(StoreContract, AnErasedKeyTakesItsGrantsAndItsUsage) {
  const auto [key, material] = born();
  const auto [kept, kept_material] = born();
  const GrantRecord kept_grant = a_grant(kept);
  EXPECT_OK(store_->insert_grant(a_grant(key)));
  EXPECT_OK(store_->insert_grant(kept_grant));
  const UsageRecord usage{key.id, "Encrypt", at(1), "event", "request"};
  const UsageRecord kept_usage{kept.id, "Decrypt", at(2), "event", "request"};
  EXPECT_OK(store_->put_usages(std::vector{usage, kept_usage}));
  EXPECT_OK(store_->erase_key(key.id));
  reopen();
  EXPECT_THAT(load().grants, ElementsAre(kept_grant));
  EXPECT_THAT(load().usages, ElementsAre(kept_usage));
}

TEST_P(StoreContract, AUsageIsReplacedByALaterOneOnly) {
  const auto [key, material] = born();
  const UsageRecord first{key.id, "Encrypt", at(100), "e1", "r1"};
  const UsageRecord later{key.id, "Decrypt", at(101), "e2", "r2"};
  const UsageRecord earlier{key.id, "Encrypt", at(99), "e3", "r3"};
  const UsageRecord of_nothing{"no such key", "Encrypt", at(100), "e4", "r4"};
  EXPECT_OK(store_->put_usages(std::vector{first, of_nothing}));
  EXPECT_THAT(load().usages, ElementsAre(first));
  EXPECT_OK(store_->put_usages(std::vector{later}));
  EXPECT_OK(store_->put_usages(std::vector{earlier}));
  EXPECT_THAT(load().usages, ElementsAre(later));
}

// Aliases

TEST_P(StoreContract, AnAliasIsUniqueInItsAccountAndRegion) {
  const auto [key, material] = born();
  const auto [other_key, other_material] = born();
  const AliasRecord alias = an_alias(key, "alias/app");
  EXPECT_OK(store_->insert_alias(alias));

  const AliasRecord again = an_alias(other_key, "alias/app");
  const auto refused = store_->insert_alias(again);
  ASSERT_TRUE(refused.has_error());
  EXPECT_EQ(refused.error().code(), ErrorCode::kAlreadyExists);
  EXPECT_EQ(refused.error().message(), "");

  AliasRecord other_region = alias;
  other_region.region = "us-east-1";
  AliasRecord other_account = alias;
  other_account.account = "444455556666";
  AliasRecord other_case = alias;
  other_case.name = "alias/App";
  EXPECT_OK(store_->insert_alias(other_region));
  EXPECT_OK(store_->insert_alias(other_account));
  EXPECT_OK(store_->insert_alias(other_case));
  EXPECT_THAT(load().aliases, ElementsAre(other_case, alias, other_region, other_account));
}

TEST_P(StoreContract, AnAliasMovesToAnotherKeyAndGoes) {
  const auto [key, material] = born();
  const auto [other_key, other_material] = born();
  AliasRecord alias = an_alias(key, "alias/app");
  EXPECT_OK(store_->insert_alias(alias));
  alias.target_key_id = other_key.id;
  alias.updated_at = at(1795539999999);
  EXPECT_OK(store_->update_alias(alias));
  EXPECT_THAT(load().aliases, ElementsAre(alias));
  EXPECT_OK(store_->delete_alias(alias.account, alias.region, alias.name));
  EXPECT_THAT(load().aliases, IsEmpty());
}

TEST_P(StoreContract, AnAliasThatIsNotThereIsNotFound) {
  const auto [key, material] = born();
  const AliasRecord alias = an_alias(key, "alias/app");
  EXPECT_OK(store_->insert_alias(alias));
  AliasRecord absent = alias;
  absent.region = "us-east-1";
  for (const auto& result : {store_->update_alias(absent),
                             store_->delete_alias(absent.account, absent.region, absent.name)}) {
    ASSERT_TRUE(result.has_error());
    EXPECT_EQ(result.error().code(), ErrorCode::kNotFound);
    EXPECT_EQ(result.error().message(), "");
  }
  EXPECT_THAT(load().aliases, ElementsAre(alias));
}

TEST_P(StoreContract, AnAliasOfAKeyThatIsGoneConflicts) {
  const auto [key, material] = born();
  const AliasRecord alias = an_alias(key, "alias/app");
  EXPECT_OK(store_->insert_alias(alias));
  EXPECT_REFUSED(ErrorCode::kConflict, store_->insert_alias(an_alias(a_key(), "alias/other")));
  EXPECT_REFUSED(ErrorCode::kConflict, store_->update_alias(an_alias(a_key(), "alias/app")));
  EXPECT_THAT(load().aliases, ElementsAre(alias));
}

// Access keys

TEST_P(StoreContract, ACredentialIsInsertedOnceAndThenUpdated) {
  CredentialRecord credential = a_credential("AKIAIOSFODNN7EXAMPLE");
  EXPECT_REFUSED(ErrorCode::kNotFound, store_->update_credential(credential));
  EXPECT_OK(store_->insert_credential(credential));
  EXPECT_REFUSED(ErrorCode::kAlreadyExists, store_->insert_credential(credential));
  EXPECT_THAT(load().credentials, ElementsAre(credential));

  credential.account = "444455556666";
  credential.principal = "user/other";
  credential.sealed_secret = {};
  credential.status = CredentialStatus::kDisabled;
  credential.generation = 2;
  credential.created_at = at(1795530000000);
  EXPECT_OK(store_->update_credential(credential));
  reopen();
  EXPECT_THAT(load().credentials, ElementsAre(credential));
}

// Invocations

TEST_P(StoreContract, ReservedInvocationsStayCountedWhenTheStoreIsReopened) {
  const auto [key, material] = born();
  const auto [other_key, other_material] = born();
  EXPECT_EQ(*store_->reserve_invocations(material.object_name, 1000), 0U);
  EXPECT_EQ(*store_->reserve_invocations(material.object_name, 1), 1000U);
  reopen();
  EXPECT_EQ(*store_->reserve_invocations(material.object_name, 0), 1001U);
  EXPECT_EQ(*store_->reserve_invocations(other_material.object_name, 5), 0U);
  Contents expected{.keys = {key, other_key}, .materials = {material, other_material}};
  if (other_key.id < key.id) {
    std::swap(expected.keys[0], expected.keys[1]);
    std::swap(expected.materials[0], expected.materials[1]);
  }
  expect_same(load(), expected);
}

TEST_P(StoreContract, MoreInvocationsThanCanBeCountedAreRefused) {
  const auto [key, material] = born();
  EXPECT_OK(store_->reserve_invocations(material.object_name, 7));
  EXPECT_REFUSED(ErrorCode::kKmsInternal,
                 store_->reserve_invocations(material.object_name, UINT64_MAX));
  EXPECT_REFUSED(ErrorCode::kKmsInternal,
                 store_->reserve_invocations(material.object_name, INT64_MAX - 6));
  EXPECT_EQ(*store_->reserve_invocations(material.object_name, INT64_MAX - 7), 7U);
}

TEST_P(StoreContract, InvocationsOfAMaterialThatIsNotThereAreRefused) {
  EXPECT_REFUSED(ErrorCode::kConflict, store_->reserve_invocations(draw_name(), 1));
}

// All of it

TEST_P(StoreContract, WhatWasWrittenIsThereAfterReopening) {
  auto [key, first] = born();
  const auto [other_key, other_first] = born();
  const IntentRecord intent = an_intent(key, IntentKind::kRotateOnDemand);
  EXPECT_OK(store_->begin_material(intent, key.version));
  EXPECT_OK(store_->finish_rotation(key, material_of(intent, 1)));
  EXPECT_OK(store_->begin_material(an_intent(other_key, IntentKind::kRotateAutomatic),
                                   other_key.version));
  const KeyRecord unborn = a_key();
  EXPECT_OK(store_->begin_key(unborn, an_intent(unborn)));
  EXPECT_OK(store_->insert_alias(an_alias(key, "alias/a")));
  EXPECT_OK(store_->insert_credential(a_credential("AKIAIOSFODNN7EXAMPLE")));
  const Contents before = load();
  EXPECT_EQ(before.keys.size(), 2U);
  EXPECT_EQ(before.unborn_keys.size(), 1U);
  EXPECT_EQ(before.materials.size(), 3U);
  EXPECT_EQ(before.intents.size(), 2U);
  reopen();
  expect_same(load(), before);
}

TEST_P(StoreContract, ARowWithAnUnknownWordIsRefusedAndNamed) {
  const auto [born_key, born_material] = born();
  const KeyRecord& key = born_key;  // a lambda cannot hold a binding in C++20 as clang has it
  EXPECT_OK(store_->insert_alias(an_alias(key, "alias/a")));
  EXPECT_OK(store_->insert_credential(a_credential("AKIAIOSFODNN7EXAMPLE")));
  const IntentRecord intent = an_intent(key, IntentKind::kRotateOnDemand);
  EXPECT_OK(store_->begin_material(intent, key.version));
  const Contents before = load();

  const std::string name = born_material.object_name.hex();
  const auto key_column = [&](const std::string& column, const std::string& bad,
                              const std::string& good) {
    return std::vector<std::string>{"kms_key", column, bad, good, key.id};
  };
  const auto material_column = [&](const std::string& column, const std::string& bad,
                                   const std::string& good) {
    return std::vector<std::string>{"key_material", column, bad, good, name};
  };
  const std::vector<std::vector<std::string>> cases{
      key_column("spec", "'symmetric_default'", "'SYMMETRIC_DEFAULT'"),
      key_column("key_usage", "'ENCRYPT'", "'ENCRYPT_DECRYPT'"),
      key_column("origin", "''", "'AWS_KMS'"),
      key_column("state", "'Forgotten'", "'Enabled'"),
      key_column("created_at", "'yesterday'", "1795531445123"),
      key_column("on_demand_rotations", "-1", "0"),
      key_column("version", "-1", "0"),
      material_column("custody", "'lent'", "'resident'"),
      material_column("construction", "'xor'", "'ecb-derived'"),
      material_column("check_value", "'abc'", "'0001feff'"),
      material_column("rotation_type", "'SOMETIMES'", "NULL"),
      material_column("sequence", "-1", "0"),
      material_column("presence", "'lost'", "'present'"),
      material_column("standing", "''", "'permanent'"),
      material_column("valid_to", "'never'", "NULL"),
      {"intent", "kind", "'think'", "'rotate-on-demand'", intent.object_name.hex()},
      {"alias", "created_at", "'x'", "1795531449004", key.account},
      {"credential", "status", "'retired'", "'active'", "AKIAIOSFODNN7EXAMPLE"},
      {"credential", "sealed_secret", "'80007F'", "'80007f'", "AKIAIOSFODNN7EXAMPLE"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c[0] + "." + c[1]);
    execute("UPDATE " + c[0] + " SET " + c[1] + " = " + c[2]);
    const auto loaded = store_->load();
    ASSERT_TRUE(loaded.has_error());
    EXPECT_EQ(loaded.error().code(), ErrorCode::kKmsInternal);
    EXPECT_EQ(loaded.error().message(), "");
    EXPECT_EQ(loaded.error().detail(), "store: column " + c[1] + " of " + c[0] + " row '" + c[4] +
                                           "' holds a value that this version does not know");
    execute("UPDATE " + c[0] + " SET " + c[1] + " = " + c[3]);
    expect_same(load(), before);
  }
}

TEST_P(StoreContract, ManyThreadsLoseNoReservationAndNoUpdate) {
  const auto [key, material] = born();
  constexpr int kThreads = 4;
  constexpr int kRounds = 50;
  std::vector<std::vector<std::uint64_t>> answers(kThreads);
  std::vector<int> updates(kThreads);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t, name = material.object_name] {
      for (int round = 0; round < kRounds; ++round) {
        const auto reserved = store_->reserve_invocations(name, 1);
        if (reserved) answers[t].push_back(*reserved);
        const auto contents = store_->load();
        if (!contents || contents->keys.size() != 1) continue;
        if (store_->update_key(contents->keys.front())) ++updates[t];
      }
    });
  }
  for (auto& thread : threads) thread.join();

  std::vector<std::uint64_t> all;
  int updated = 0;
  for (std::size_t t = 0; t < kThreads; ++t) {
    all.insert(all.end(), answers[t].begin(), answers[t].end());
    updated += updates[t];
  }
  std::sort(all.begin(), all.end());
  ASSERT_EQ(all.size(), std::size_t{kThreads * kRounds});
  for (std::size_t i = 0; i < all.size(); ++i) EXPECT_EQ(all[i], i);
  EXPECT_EQ(load().keys.front().version, static_cast<std::uint64_t>(updated));
}

INSTANTIATE_TEST_SUITE_P(Engines, StoreContract, ::testing::Values(sqlite()),
                         [](const auto& engine) { return engine.param.name; });

}  // namespace
}  // namespace keyhold::store

// What every Store promises of keys.
#include "store_contract.h"

namespace keyhold::store {
namespace {

using namespace testing;

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

}  // namespace
}  // namespace keyhold::store

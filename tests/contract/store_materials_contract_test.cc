// What every Store promises of key materials, and of intents and wrapping keys on the way to them.
#include "store_contract.h"

namespace keyhold::store {
namespace {

using namespace testing;

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

}  // namespace
}  // namespace keyhold::store

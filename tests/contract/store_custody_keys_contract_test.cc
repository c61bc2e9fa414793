// What every Store promises of custody keys, and of the materials that are wrapped under them.
#include "store_contract.h"

namespace keyhold::store {
namespace {

using namespace testing;

class StoreCustodyKeys : public StoreContract {
 protected:
  CustodyKeyRecord begun() {
    const CustodyKeyRecord key = a_custody_key();
    EXPECT_OK(store_->begin_custody_key(key));
    return key;
  }
  CustodyKeyRecord current() {
    CustodyKeyRecord key = begun();
    key.check_value = {0x00, 0xc1, 0xff};
    EXPECT_OK(store_->finish_custody_key(key.object_name, key.check_value));
    key.state = CustodyKeyState::kCurrent;
    return key;
  }
  /// A born key whose material is wrapped under that custody key.
  MaterialRecord wrapped_under(const CustodyKeyRecord& custody_key) {
    key_ = a_key();
    const IntentRecord intent = an_intent(key_);
    MaterialRecord material = material_of(intent);
    material.custody = Custody::kWrapped;
    material.wrapped = WrappedRecord{custody_key.object_name, {0x01, 0x00}, {0x02, 0xff}};
    EXPECT_OK(store_->begin_key(key_, intent));
    EXPECT_OK(store_->finish_key(material));
    return material;
  }
  void expect_keys(std::vector<CustodyKeyRecord> expected) {
    std::ranges::sort(expected, {}, [](const auto& key) { return key.object_name.hex(); });
    EXPECT_EQ(load().custody_keys, expected);
  }

  KeyRecord key_;
};

TEST_P(StoreCustodyKeys, OneIsMadeAtATime) {
  const CustodyKeyRecord key = begun();
  EXPECT_REFUSED(ErrorCode::kConflict, store_->begin_custody_key(a_custody_key()));
  expect_keys({key});
  EXPECT_OK(store_->erase_custody_key(key.object_name));
  EXPECT_OK(store_->erase_custody_key(key.object_name));
  expect_keys({});
  begun();
}

TEST_P(StoreCustodyKeys, ANewOneRetiresTheOneBefore) {
  CustodyKeyRecord first = current();
  expect_keys({first});
  const CustodyKeyRecord second = current();
  first.state = CustodyKeyState::kRetiring;
  expect_keys({first, second});
  reopen();
  expect_keys({first, second});
}

TEST_P(StoreCustodyKeys, WhatWasNotBegunCannotBeFinishedAndRetiresNothing) {
  const CustodyKeyRecord key = current();
  EXPECT_REFUSED(ErrorCode::kConflict, store_->finish_custody_key(draw_name(), {0x01}));
  EXPECT_REFUSED(ErrorCode::kConflict, store_->finish_custody_key(key.object_name, {0x01}));
  expect_keys({key});
}

TEST_P(StoreCustodyKeys, AWrappedMaterialComesBackWhole) {
  const MaterialRecord material = wrapped_under(current());
  reopen();
  EXPECT_THAT(load().materials, ElementsAre(material));
}

TEST_P(StoreCustodyKeys, AMaterialIsWrittenOnlyWhileItsCustodyKeyWraps) {
  const KeyRecord key = a_key();
  const IntentRecord intent = an_intent(key);
  EXPECT_OK(store_->begin_key(key, intent));
  MaterialRecord material = material_of(intent);
  const auto expect_refused = [&](const ObjectName& custody_key) {
    material.wrapped = WrappedRecord{custody_key, {0x01}, {0x02}};
    EXPECT_REFUSED(ErrorCode::kConflict, store_->finish_key(material));
    EXPECT_THAT(load().materials, IsEmpty());
    EXPECT_THAT(load().intents, ElementsAre(intent));
  };
  expect_refused(draw_name());
  CustodyKeyRecord first = begun();
  expect_refused(first.object_name);
  EXPECT_OK(store_->finish_custody_key(first.object_name, {0x01}));
  current();
  EXPECT_OK(store_->condemn_custody_key(first.object_name));
  expect_refused(first.object_name);
}

TEST_P(StoreCustodyKeys, AMaterialMayStillComeUnderARetiringOne) {
  const CustodyKeyRecord first = current();
  current();
  const MaterialRecord material = wrapped_under(first);
  EXPECT_THAT(load().materials, ElementsAre(material));
}

TEST_P(StoreCustodyKeys, WrappingAnewChangesTheFormAlone) {
  const CustodyKeyRecord first = current();
  MaterialRecord material = wrapped_under(first);
  const CustodyKeyRecord second = current();
  const WrappedRecord moved{second.object_name, {0x03}, {0x04}};
  EXPECT_OK(store_->rewrap_material(material.object_name, first.object_name, moved));
  material.wrapped = moved;
  EXPECT_THAT(load().materials, ElementsAre(material));
  // Who thought that it was still under the first one is late.
  EXPECT_REFUSED(ErrorCode::kConflict,
                 store_->rewrap_material(material.object_name, first.object_name, moved));
  EXPECT_REFUSED(ErrorCode::kConflict,
                 store_->rewrap_material(draw_name(), second.object_name, moved));
  const WrappedRecord nowhere{draw_name(), {0x05}, {0x06}};
  EXPECT_REFUSED(ErrorCode::kConflict,
                 store_->rewrap_material(material.object_name, second.object_name, nowhere));
  EXPECT_THAT(load().materials, ElementsAre(material));
}

TEST_P(StoreCustodyKeys, OneThatAMaterialNamesIsNeitherCondemnedNorErased) {
  CustodyKeyRecord first = current();
  const MaterialRecord material = wrapped_under(first);
  EXPECT_REFUSED(ErrorCode::kConflict, store_->condemn_custody_key(first.object_name));
  const CustodyKeyRecord second = current();
  first.state = CustodyKeyState::kRetiring;
  EXPECT_REFUSED(ErrorCode::kConflict, store_->condemn_custody_key(first.object_name));
  EXPECT_REFUSED(ErrorCode::kConflict, store_->erase_custody_key(first.object_name));
  expect_keys({first, second});
  EXPECT_OK(store_->rewrap_material(material.object_name, first.object_name,
                                    {second.object_name, {0x03}, {0x04}}));
  EXPECT_OK(store_->condemn_custody_key(first.object_name));
  first.state = CustodyKeyState::kDestroying;
  expect_keys({first, second});
  EXPECT_OK(store_->erase_custody_key(first.object_name));
  expect_keys({second});
}

TEST_P(StoreCustodyKeys, TheCurrentOneIsNeitherCondemnedNorErased) {
  const CustodyKeyRecord key = current();
  EXPECT_REFUSED(ErrorCode::kConflict, store_->condemn_custody_key(key.object_name));
  EXPECT_REFUSED(ErrorCode::kConflict, store_->erase_custody_key(key.object_name));
  EXPECT_REFUSED(ErrorCode::kConflict, store_->condemn_custody_key(draw_name()));
  expect_keys({key});
}

TEST_P(StoreCustodyKeys, AKeysEndLetsGoOfItsCustodyKey) {
  const CustodyKeyRecord first = current();
  wrapped_under(first);
  current();
  EXPECT_REFUSED(ErrorCode::kConflict, store_->condemn_custody_key(first.object_name));
  EXPECT_OK(store_->erase_key(key_.id));
  EXPECT_OK(store_->condemn_custody_key(first.object_name));
}

INSTANTIATE_TEST_SUITE_P(Engines, StoreCustodyKeys, ::testing::ValuesIn(engines()),
                         [](const auto& engine) { return engine.param.name; });

}  // namespace
}  // namespace keyhold::store

// Key materials made, adopted, checked, shown and destroyed.
#include <algorithm>
#include <fstream>

#include "token/key_template.h"
#include "token_fixture.h"

namespace keyhold::token::test {
namespace {

namespace fs = std::filesystem;

class MaterialsTest : public TokenTest {
 protected:
  void SetUp() override {
    TokenTest::SetUp();
    open();
  }

  std::vector<fs::path> object_files() const {
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(token_folder())) {
      const std::string name = entry.path().filename();
      if (name.ends_with(".object") && name != "token.object") files.push_back(entry.path());
    }
    return files;
  }

  bool lists(const ObjectName& name) {
    const auto listed = token_->list_objects();
    EXPECT_TRUE(listed) << why(listed);
    return std::ranges::any_of(*listed, [&](const ListedObject& object) {
      return std::ranges::equal(object.id, name.bytes());
    });
  }
};

TEST_F(MaterialsTest, TheTokenIsTheOneOfTheProfilesLabel) {
  EXPECT_EQ(token_->identity().label, "keyhold");
  EXPECT_FALSE(token_->identity().serial.empty());
}

TEST_F(MaterialsTest, AGeneratedMaterialShowsThatItWasBornInTheTokenAndCannotLeave) {
  const ObjectName name = draw_name();
  const auto made = token_->generate_material(name, "a label", {});
  ASSERT_TRUE(made) << why(made);
  const auto shown = token_->evidence(name);
  ASSERT_TRUE(shown) << why(shown);
  EXPECT_EQ(shown->local, true);
  EXPECT_EQ(shown->sensitive, true);
  EXPECT_EQ(shown->always_sensitive, true);
  EXPECT_EQ(shown->extractable, false);
  EXPECT_EQ(shown->never_extractable, true);
  EXPECT_EQ(shown->key_gen_mechanism, CKM_AES_KEY_GEN);
  EXPECT_EQ(shown->label, "a label");
}

TEST_F(MaterialsTest, AGeneratedMaterialHasEveryAttributeOfItsTemplate) {
  const ObjectName name = draw_name();
  ASSERT_TRUE(token_->generate_material(name, "a label", {}));
  const auto attributes =
      derived_material_template(profile(), Residence::kToken, name.bytes(), "a label");
  Intruder intruder;
  pkcs11::Attributes matching;
  matching.bytes(CKA_ID, name.bytes());
  const auto objects = intruder.find(matching);
  ASSERT_EQ(objects.size(), 1U);
  for (const CK_ATTRIBUTE_TYPE type : attributes.types()) {
    const auto shown = pkcs11::get_attribute(intruder.session(), objects[0], type);
    ASSERT_TRUE(shown) << shown.error().text();
    EXPECT_TRUE(std::ranges::equal(shown->value.view(), *attributes.value(type)))
        << std::hex << type;
  }
}

TEST_F(MaterialsTest, TwoMaterialsHaveTwoCheckValues) {
  EXPECT_NE(generate().check_value, generate().check_value);
}

TEST_F(MaterialsTest, ADirectMaterialIsMadeWhereTheProfileSaysThatTheTokenCannotDerive) {
  close();
  open({"keys.derivation=none"});
  const Material material = generate();
  EXPECT_EQ(material.construction, Construction::kDirect);
  EXPECT_EQ(material.check_value.size(), 60U);
  EXPECT_TRUE(token_->check_material(material));
  EXPECT_TRUE(token_->adopt_material(material.object_name, {})->has_value());
}

TEST_F(MaterialsTest, AnInterruptedGenerationThatWasWholeIsAdoptedWithTheSameCheckValue) {
  const Material material = generate();
  close();
  open();
  const auto adopted = token_->adopt_material(material.object_name, {});
  ASSERT_TRUE(adopted) << why(adopted);
  ASSERT_TRUE(adopted->has_value());
  EXPECT_EQ((*adopted)->check_value, material.check_value);
  EXPECT_EQ((*adopted)->construction, material.construction);
}

TEST_F(MaterialsTest, WhatWasNeverGeneratedIsNotAdopted) {
  const auto adopted = token_->adopt_material(draw_name(), {});
  ASSERT_TRUE(adopted) << why(adopted);
  EXPECT_FALSE(adopted->has_value());
}

TEST_F(MaterialsTest, AKeyThatWasNotBornInTheTokenIsNotAdopted) {
  const ObjectName name = draw_name();
  Intruder().plant_key(name, Bytes(32, 1), profile());
  const auto adopted = token_->adopt_material(name, {});
  ASSERT_TRUE(adopted) << why(adopted);
  EXPECT_FALSE(adopted->has_value());
}

TEST_F(MaterialsTest, ANamedObjectThatIsNoKeyAtAllIsNotAdopted) {
  const ObjectName name = draw_name();
  pkcs11::Attributes zombie;
  zombie.number(CKA_CLASS, CKO_SECRET_KEY)
      .number(CKA_KEY_TYPE, CKK_GENERIC_SECRET)
      .yes(CKA_TOKEN)
      .yes(CKA_PRIVATE)
      .yes(CKA_SENSITIVE)
      .no(CKA_EXTRACTABLE)
      .no(CKA_DERIVE)
      .bytes(CKA_ID, name.bytes())
      .bytes(CKA_VALUE, Bytes(32, 1));
  Intruder().plant(zombie);
  const auto adopted = token_->adopt_material(name, {});
  ASSERT_TRUE(adopted) << why(adopted);
  EXPECT_FALSE(adopted->has_value());
  EXPECT_TRUE(lists(name));
}

TEST_F(MaterialsTest, TwoObjectsOfOneNameAreNotAdopted) {
  const Material material = generate();
  Intruder().plant_key(material.object_name, Bytes(32, 1), profile());
  const auto adopted = token_->adopt_material(material.object_name, {});
  ASSERT_TRUE(adopted) << why(adopted);
  EXPECT_FALSE(adopted->has_value());
}

TEST_F(MaterialsTest, AFlippedBitInTheKeysFileIsCaughtByTheCheckValue) {
  const Material material = generate();
  const auto files = object_files();
  ASSERT_EQ(files.size(), 1U);
  close();

  // Finds the encrypted value by trying each byte: the one after whose change the object still
  // loads and derives, but as another key.
  std::ifstream in(files[0], std::ios::binary);
  const std::string whole((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  in.close();
  // Attribute type, kind and length as SoftHSM's file store writes them: 8 bytes each, big-endian;
  // the private value is 16 bytes of IV and 48 of padded ciphertext.
  std::string head(7, '\0');
  head += static_cast<char>(CKA_VALUE);
  const std::size_t at = whole.find(head + std::string(7, '\0') + '\3');
  ASSERT_NE(at, std::string::npos);
  std::string damaged = whole;
  damaged[at + 24 + 3] = static_cast<char>(damaged[at + 24 + 3] ^ 1);
  std::ofstream(files[0], std::ios::binary) << damaged;

  open();
  const auto checked = token_->check_material(material);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code(), ErrorCode::kKmsInternal);
  EXPECT_NE(checked.error().detail().find("check value"), std::string::npos) << why(checked);
  EXPECT_EQ(token_->encryption_key(material).error().code(), ErrorCode::kKmsInternal);
}

TEST_F(MaterialsTest, ADestroyedMaterialIsGoneAndItsKeysWithIt) {
  const Material material = generate();
  ASSERT_TRUE(token_->encryption_key(material));
  ASSERT_TRUE(lists(material.object_name));
  const auto destroyed = token_->destroy_material(material.object_name);
  ASSERT_TRUE(destroyed) << why(destroyed);
  EXPECT_FALSE(lists(material.object_name));
  EXPECT_EQ(token_->encryption_key(material).error().code(), ErrorCode::kKmsInternal);
  EXPECT_EQ(token_->check_material(material).error().code(), ErrorCode::kKmsInternal);
}

TEST_F(MaterialsTest, DestroyingTakesEveryObjectOfTheNameAndNoOther) {
  const Material material = generate();
  const Material other = generate();
  Intruder().plant_key(material.object_name, Bytes(32, 1), profile());
  ASSERT_TRUE(token_->destroy_material(material.object_name));
  EXPECT_FALSE(lists(material.object_name));
  EXPECT_TRUE(token_->check_material(other));
}

TEST_F(MaterialsTest, DestroyingWhatIsNotThereSucceeds) {
  EXPECT_TRUE(token_->destroy_material(draw_name()));
}

TEST_F(MaterialsTest, ListingShowsKeysAndNeitherDataNorMessageKeys) {
  const Material material = generate();
  ASSERT_TRUE(token_->encryption_key(material));
  pkcs11::Attributes data;
  data.number(CKA_CLASS, CKO_DATA).yes(CKA_TOKEN).text(CKA_LABEL, "data").text(CKA_VALUE, "x");
  Intruder().plant(data);
  const auto listed = token_->list_objects();
  ASSERT_TRUE(listed) << why(listed);
  ASSERT_EQ(listed->size(), 1U);
  EXPECT_TRUE(std::ranges::equal(listed->front().id, material.object_name.bytes()));
  EXPECT_EQ(listed->front().label, "a key");
}

TEST_F(MaterialsTest, AKeyMadeByAnotherUserOfTheTokenIsFoundLater) {
  Bytes blocks(32, 0);
  blocks[15] = 3;
  blocks[31] = 4;
  const Bytes value(32, 8);
  Material material{draw_name(),
                    Construction::kEcbDerived,
                    aes_cmac(aes_ecb(value, blocks), as_bytes("keyhold check")),
                    {}};
  EXPECT_FALSE(token_->check_material(material));
  Intruder().plant_key(material.object_name, value, profile());
  EXPECT_TRUE(token_->check_material(material));
}

TEST_F(MaterialsTest, EvidenceOfNoObjectIsAnError) {
  EXPECT_EQ(token_->evidence(draw_name()).error().code(), ErrorCode::kKmsInternal);
}

TEST_F(MaterialsTest, MaterialsOutliveTheProcessesUseOfTheToken) {
  const Material material = generate();
  close();
  open();
  EXPECT_TRUE(token_->check_material(material));
}

TEST_F(MaterialsTest, AFolderThatCannotBeSyncedFailsTheGeneration) {
  close();
  open({"storage.sync_folders=[\"" + (folder_.path() / "nowhere").string() + "\"]",
        "storage.keep_token_object_copy=false"});
  const auto made = token_->generate_material(draw_name(), "a key", {});
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code(), ErrorCode::kKmsInternal);
}

TEST_F(MaterialsTest, RandomBytesAreAsManyAsAskedForAndNotTheSameTwice) {
  const auto first = token_->random(64);
  const auto second = token_->random(64);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->size(), 64U);
  EXPECT_NE(first->text(), second->text());
  EXPECT_EQ(token_->random(0)->size(), 0U);
}

TEST_F(MaterialsTest, AHealthyTokenChecks) { EXPECT_TRUE(token_->check()); }

}  // namespace
}  // namespace keyhold::token::test

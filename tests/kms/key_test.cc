#include "kms/key.h"

#include <gtest/gtest.h>

#include <chrono>
#include <set>

#include "tests/kms/keys.h"

namespace keyhold::kms {
namespace {

using namespace testing;

TEST(Key, FindsEachOfItsMaterialsAndNoOther) {
  const Key key = a_key(a_key_record(), 100);
  for (const auto& material : key.materials()) {
    EXPECT_EQ(key.find_material(material->material_id), material.get());
  }
  EXPECT_EQ(key.find_material(draw_name().bytes()), nullptr);
  EXPECT_EQ(key.find_material({}), nullptr);
  EXPECT_EQ(key.find_material(ByteView(key.materials()[0]->material_id).first(31)), nullptr);
}

TEST(Key, HasItsLastMaterialAsItsCurrentOne) {
  const Key key = a_key(a_key_record(), 3);
  EXPECT_EQ(&key.current_material(), key.materials()[2].get());
}

TEST(Key, CopiedFindsTheSameMaterials) {
  auto key = std::make_unique<Key>(a_key(a_key_record(), 3));
  const Key copy = *key;
  const KeyMaterialPtr material = key->materials()[1];
  key.reset();
  EXPECT_EQ(copy.find_material(material->material_id), material.get());
}

TEST(KeyMaterial, OfNoTwoKeysOrMaterialsHasTheSameSubject) {
  // The subject is what a ciphertext's header tag binds: no two pairs of ids may read alike.
  std::set<Bytes> subjects;
  const auto add = [&](std::string key_id, const std::string& material_id) {
    store::MaterialRecord row;
    row.key_id = std::move(key_id);
    row.material_id = material_id;
    EXPECT_TRUE(subjects.insert(KeyMaterial(row, {}).use.subject).second);
  };
  add("a", "6162");
  add("ab", "6162");
  add("a", "626162");
  add("aab", "62");
  add("", "61026162");
}

TEST(KeyMaterial, IsUsedInTheTokenAsItsRowSays) {
  const auto record = a_key_record();
  const auto row = a_material_record(record, 0, Construction::kDirect);
  const KeyMaterial material(row, kind_of(record));
  EXPECT_EQ(material.use.object_name, row.object_name);
  EXPECT_EQ(material.use.construction, Construction::kDirect);
  EXPECT_EQ(material.use.check_value, row.check_value);
  EXPECT_EQ(to_hex(material.material_id), row.material_id);
}

}  // namespace
}  // namespace keyhold::kms

// A KMS key as one instant saw it: immutable, shared by the calls that use it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kms/key_policy.h"
#include "store/store.h"
#include "token/token.h"

namespace keyhold::kms {

/// A key material of a KMS key: its row, and the form in which the token is asked to use it.
struct KeyMaterial {
  store::MaterialRecord record;
  token::Material use;
  Bytes material_id;  ///< 32 bytes; record.material_id is its hexadecimal form

  /// `kind`: of the key whose material it is.
  KeyMaterial(store::MaterialRecord row, token::MaterialKind kind);
};
using KeyMaterialPtr = std::shared_ptr<const KeyMaterial>;

/// What the materials of a key are for.
inline token::MaterialKind kind_of(const store::KeyRecord& record) {
  return {record.spec, record.usage};
}

class Key {
 public:
  /// `materials` are ordered by sequence and not empty. `rotation` is the one that runs, if any.
  /// `policy` is the record's, for whoever has it ready; null: it is made here.
  Key(store::KeyRecord record, std::vector<KeyMaterialPtr> materials,
      std::optional<store::IntentRecord> rotation, KeyPolicyPtr policy = nullptr);

  const store::KeyRecord& record() const { return record_; }
  const std::string& id() const { return record_.id; }
  const std::string& arn() const { return arn_; }
  token::MaterialKind kind() const { return kind_of(record_); }
  /// Never null.
  const KeyPolicyPtr& policy() const { return policy_; }

  const std::vector<KeyMaterialPtr>& materials() const { return materials_; }
  const KeyMaterial& current_material() const { return *materials_.back(); }
  /// The material of that KeyMaterialId (32 bytes); null if the key has none such. Its cost hardly
  /// grows with the number of materials.
  const KeyMaterial* find_material(ByteView material_id) const;

  const std::optional<store::IntentRecord>& running_rotation() const { return rotation_; }

 private:
  store::KeyRecord record_;
  std::string arn_;
  KeyPolicyPtr policy_;
  std::vector<KeyMaterialPtr> materials_;
  std::vector<const KeyMaterial*> by_id_;  // sorted by material_id
  std::optional<store::IntentRecord> rotation_;
};
using KeyPtr = std::shared_ptr<const Key>;

}  // namespace keyhold::kms

// A KMS key as one instant saw it: immutable, shared by the calls that use it.
#pragma once

#include <atomic>
#include <cstdint>
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

  /// Counts something that was made under it: a ciphertext, a signature or a MAC.
  void note_use() const { uses_.fetch_add(1, std::memory_order_relaxed); }
  /// Since its row was last read or changed.
  std::uint64_t uses() const { return uses_.load(std::memory_order_relaxed); }

 private:
  // In a line of its own: every call reads what stands beside it, on every core.
  static constexpr std::size_t kCacheLine = 64;
  alignas(kCacheLine) mutable std::atomic<std::uint64_t> uses_{0};
};
using KeyMaterialPtr = std::shared_ptr<const KeyMaterial>;

/// What the materials of a key are for.
inline token::MaterialKind kind_of(const store::KeyRecord& record) {
  return {record.spec, record.usage};
}

/// What a material's messages belong to, and what its wrapped form is bound to.
Bytes subject_of(std::string_view key_id, ByteView material_id);

class Key {
 public:
  /// `materials` are ordered by sequence; empty only for a key whose material is yet to be
  /// imported. `intent`: of the rotation or import that runs, if any. `policy` is the record's, for
  /// whoever has it ready; null: it is made here.
  Key(store::KeyRecord record, std::vector<KeyMaterialPtr> materials,
      std::optional<store::IntentRecord> intent, KeyPolicyPtr policy = nullptr);

  const store::KeyRecord& record() const { return record_; }
  const std::string& id() const { return record_.id; }
  const std::string& arn() const { return arn_; }
  token::MaterialKind kind() const { return kind_of(record_); }
  /// Never null.
  const KeyPolicyPtr& policy() const { return policy_; }

  const std::vector<KeyMaterialPtr>& materials() const { return materials_; }
  /// What the key encrypts, signs and so on with. Not of a key that has none.
  const KeyMaterial& current_material() const { return *current_; }
  /// The same; null for a key whose material was never imported.
  const KeyMaterial* find_current_material() const { return current_; }
  /// The one that waits for a rotation on demand; null if there is none.
  const KeyMaterial* pending_material() const { return pending_; }
  /// Whether the key can be used: it has material, and all that is its own for good is in the
  /// token.
  bool has_all_material() const;
  /// How its current material is held; of a key that has none, how any it may get could be.
  Custody custody() const { return current_ ? current_->record.custody : Custody::kHostStaged; }
  /// The material of that KeyMaterialId (32 bytes); null if the key has none such. Its cost hardly
  /// grows with the number of materials.
  const KeyMaterial* find_material(ByteView material_id) const;

  /// Of the rotation or import that runs.
  const std::optional<store::IntentRecord>& running_intent() const { return intent_; }

 private:
  store::KeyRecord record_;
  std::string arn_;
  KeyPolicyPtr policy_;
  std::vector<KeyMaterialPtr> materials_;
  std::vector<const KeyMaterial*> by_id_;  // sorted by material_id
  const KeyMaterial* current_ = nullptr;
  const KeyMaterial* pending_ = nullptr;
  std::optional<store::IntentRecord> intent_;
};
using KeyPtr = std::shared_ptr<const Key>;

}  // namespace keyhold::kms

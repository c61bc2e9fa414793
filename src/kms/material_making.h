// How a KMS key gets a key material: at its birth and at each rotation. A token and a store cannot
// commit together, so each is a row of steps, and each step says what a kill right after it leaves
// and who finishes it.
#pragma once

#include "kms/domain.h"

namespace keyhold::kms {

// --- Birth ---

/// Step 1. Draws the names and writes the unborn key and its intent.
/// A kill leaves both; reconcile finds no object of that name and abandons the key.
Result<store::IntentRecord> begin_birth(Domain& domain, const store::KeyRecord& key);

/// Step 2. Generates the material under the intent's name and proves it.
/// A kill leaves an object, whole or not; reconcile adopts it and finishes the birth, or abandons
/// the key and reports the object.
Result<token::GeneratedMaterial> generate_birth(Domain& domain, const store::KeyRecord& key,
                                                const store::IntentRecord& intent);

/// Step 3. One transaction: the key is born with its material. A kill leaves a key that exists.
Result<KeyPtr> finish_birth(Domain& domain, store::KeyRecord key, const store::IntentRecord& intent,
                            const token::GeneratedMaterial& generated);

// --- Rotation ---

/// Step 1. Under the key's lock: checks that the rotation may begin and writes its intent, which
/// from now on shows as a running rotation. A kill leaves the intent; the rotation is taken up
/// again at the next start.
Result<store::IntentRecord> begin_rotation(Domain& domain, const Key& key, store::IntentKind kind);

/// Step 2. Generates the material under the intent's name and proves it. A kill leaves an object,
/// whole or not, and the intent; resume_rotation adopts it or makes another under a new name.
Result<token::GeneratedMaterial> generate_rotation(Domain& domain, const Key& key,
                                                   const store::IntentRecord& intent);

/// Step 3. Under the key's lock, one transaction: the material is current. A kill leaves a rotation
/// that has happened and is not announced yet.
Result<void> finish_rotation(Domain& domain, std::string_view key_id,
                             const store::IntentRecord& intent,
                             const token::GeneratedMaterial& generated);

/// RotateKeyOnDemand of a key whose material is imported: the one that waits for it becomes
/// current, in one transaction, after the token has shown that it is there. A kill leaves a
/// rotation that has happened and is not announced yet.
Result<void> rotate_to_imported(Domain& domain, const Key& key);

/// Step 4. Tells the audit trail of a rotation that has happened, and notes that it was told. A
/// kill in between leads to a second telling.
Result<void> announce_rotation(Domain& domain, const Key& key, const KeyMaterial& material);

/// Announces whatever of the key is not announced yet. The caller holds the key's claim, so that in
/// ordinary times each rotation is told once.
void announce_rotations(Domain& domain, const Key& key);

/// The same for what a crash or a fault left untold, unless a thread is at work on the key.
void announce_interrupted(Domain& domain, const Key& key);

/// What resume_rotation did.
struct ResumedRotation {
  enum class Outcome : std::uint8_t {
    kFinished,
    kLeft,  ///< another thread is at it, or it has ended meanwhile
  };
  Outcome outcome = Outcome::kLeft;
  std::optional<ObjectName> given_up;  ///< a name whose object was not whole
};

/// Takes up a rotation that was interrupted: adopts the object of its intent if it is whole, else
/// makes another under a new name.
Result<ResumedRotation> resume_rotation(Domain& domain, const Key& key);

/// Marks a key as being rotated by this thread, for as long as it lives; `claimed` tells whether no
/// other thread was.
class RotationClaim {
 public:
  RotationClaim(Domain& domain, std::string key_id);
  ~RotationClaim();
  RotationClaim(const RotationClaim&) = delete;
  RotationClaim& operator=(const RotationClaim&) = delete;
  bool claimed() const { return claimed_; }

 private:
  Domain& domain_;
  const std::string key_id_;
  bool claimed_;
};

}  // namespace keyhold::kms

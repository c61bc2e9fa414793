// How key material from outside becomes a KMS key's (ImportKeyMaterial). As at birth and rotation,
// each step says what a kill right after it leaves and who finishes it. Since its caller has the
// material and got no answer, an import that was interrupted is undone: what it left in the token
// is destroyed, and the caller imports again.
#pragma once

#include <optional>
#include <string>

#include "kms/domain.h"
#include "kms/import_request.h"
#include "kms/import_token.h"

namespace keyhold::kms {

/// kValidation for what only symmetric encryption keys know, and for a date that is none; and
/// kUnsupportedOperation for a further material where the rules know of one alone.
Result<void> check_import_request(const Key& key, const ImportRequest& request, RotationRules rules,
                                  TimePoint now);

/// KeyMaterialId: 64 hex characters, a hash of key id and fingerprint, so that the same material
/// has one id in one key and others in others.
std::string imported_material_id(const Key& key, ByteView fingerprint);

/// What an import does to its key.
enum class ImportEffect : std::uint8_t {
  kFirst,    ///< the key's first material, current at once
  kPending,  ///< a further one, current after a rotation on demand
  kAgain,    ///< one that the key has or had
};
/// kIncorrectKeyMaterial for what is not the material that was asked for, kKmsInvalidState for a
/// further one while another waits.
Result<ImportEffect> judge_import(const Key& key, const ImportRequest& request,
                                  std::string_view material_id);

/// The whole of it, one at a time for each key. Answers the material's id.
Result<std::string> import_material(Domain& domain, ImportTokens& tokens, const Key& key,
                                    const ImportRequest& request);

// --- The steps ---

/// Step 1. Unwraps the material to a session object. A kill leaves nothing.
Result<token::UnwrappedMaterialPtr> unwrap_import(Domain& domain, ImportTokens& tokens,
                                                  const Key& key, const ImportRequest& request);
/// Step 2. Under the key's lock: judges the import by the newest state and writes its intent with a
/// new object name. A kill leaves the intent; withdraw_import takes it away.
Result<store::IntentRecord> begin_import(Domain& domain, const Key& key,
                                         const ImportRequest& request,
                                         std::string_view material_id);
/// Step 3. Copies the material to the token under that name and proves the copy. A kill leaves an
/// object, whole or not, and the intent; withdraw_import destroys it.
Result<void> keep_import(Domain& domain, const Key& key, const store::IntentRecord& intent,
                         const token::UnwrappedMaterial& material);
/// Step 4. Under the key's lock, one transaction: the key has the material. A kill leaves a key
/// that has it.
Result<void> finish_import(Domain& domain, const Key& key, const store::IntentRecord& intent,
                           const ImportRequest& request, std::string_view material_id,
                           const token::GeneratedMaterial& made);

/// Undoes an import that was interrupted, unless a thread is at it: destroys the object of its
/// intent and takes the intent away.
Result<void> withdraw_import(Domain& domain, const Key& key);

}  // namespace keyhold::kms

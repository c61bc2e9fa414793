// The end of imported key material, at its owner's word or when its time is over. There is no
// waiting period: the same material can be imported again (DeleteImportedKeyMaterial).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "kms/domain.h"

namespace keyhold::kms {

/// DeleteImportedKeyMaterial: of the material of that id, or of the current one. Answers the
/// material's id, nothing if there was none. kNotFound for an id that is none of the key's.
Result<std::optional<std::string>> delete_material(Domain& domain, const Key& key,
                                                   const std::optional<std::string>& material_id);

/// Removes those of the key's materials whose time is over.
Result<void> expire_materials(Domain& domain, const Key& key);

/// Steps 2 and 3 for whatever of the key a removal has begun with.
Result<void> finish_removals(Domain& domain, const Key& key);

// --- The steps ---

/// Step 1. Under the key's lock: the material's row says why it goes (kDeleting or kExpiring), and
/// unless it waited for a rotation the key is PendingImport. To callers it is gone. A kill leaves
/// the row, and the next start goes on with step 2.
Result<void> begin_removal(Domain& domain, const Key& key, std::string_view material_id,
                           store::MaterialPresence why);
/// Step 2. Destroys the object. A kill leaves the row; destroying what is gone succeeds.
Result<void> destroy_removed(Domain& domain, const KeyMaterial& material);
/// Step 3. Tells the audit trail of what has expired, and writes that the material is absent, or
/// forgets one that waited for a rotation. A kill in between leads to a second telling.
Result<void> finish_removal(Domain& domain, const Key& key, const KeyMaterial& material);

}  // namespace keyhold::kms

// The rotation of the wrapping key of wrapped custody: a new custody key, every material wrapped
// anew under it inside the token, one by one, and the end of the old one. The lifecycle worker
// carries on with what a kill interrupted.
#pragma once

#include <chrono>
#include <cstddef>
#include <optional>
#include <vector>

#include "kms/domain.h"

namespace keyhold::kms {

/// Step 1. Makes a custody key, which is current from then on; the one before is retiring. A kill
/// leaves either of the states of kms/custody_keys.h. kValidation with a sentence where nothing is
/// wrapped, kConflict while a rotation is under way.
Result<void> begin_rewrapping(Domain& domain);

/// Step 2, for each material. Under the key's lock: wraps it under the current custody key, in the
/// token, and writes its row. A kill leaves the old row or the new one, and the material can be
/// used by either.
Result<void> rewrap_material(Domain& domain, const Key& key, const KeyMaterial& material);

/// Step 3. Once no row names the old one: its row says that it is to be destroyed, which no
/// material can come under after that; then its objects are destroyed, the audit trail is told, and
/// the row is erased. A kill in between leaves the row, and what was done is done again. Nothing
/// while a row still names it.
Result<void> end_custody_key(Domain& domain, const store::CustodyKeyRecord& record);

/// Steps 2 and 3, for as long as `allowance` says.
enum class Rewrapping : std::uint8_t { kDone, kGoesOn };
Result<Rewrapping> continue_rewrapping(Domain& domain,
                                       std::optional<std::chrono::milliseconds> allowance);

/// Custody keys with the number of materials that are wrapped under each, the current one first.
std::vector<CustodyKeyStatus> custody_key_statuses(const Domain& domain);

}  // namespace keyhold::kms

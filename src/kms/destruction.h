// The end of a KMS key, after its waiting period: the one place where token objects are destroyed.
#pragma once

#include "kms/domain.h"

namespace keyhold::kms {

/// Step 1. Under the key's lock: the row says that destruction has begun, and to callers the key
/// and its aliases are gone. Nothing, if the key's date has not come (any more). A kill leaves the
/// row, and the next start goes on with step 2.
Result<void> condemn_key(Domain& domain, const Key& key);

/// Step 2. Destroys the objects of the key's materials, of a rotation or import that never ended,
/// and its wrapping keys, one by one. A kill leaves some; destroying a missing one succeeds.
Result<void> destroy_objects(Domain& domain, const Key& key);

/// Step 3. Tells the audit trail and erases the rows. A kill in between leads to a second telling.
Result<void> erase_condemned(Domain& domain, const Key& key);

/// Steps 2 and 3 for every condemned key; one that fails is tried again at the next call.
void finish_destructions(Domain& domain);

}  // namespace keyhold::kms

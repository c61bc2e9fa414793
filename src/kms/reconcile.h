// Store and token compared, and what a crash left half done taken to an end.
#pragma once

#include "kms/domain.h"

namespace keyhold::kms {

enum class ReconcileDepth : std::uint8_t {
  kPresence,     ///< every material's object exists
  kCheckValues,  ///< and is still the key that was made
};

/// Finishes or abandons what `contents` holds of births, takes up interrupted rotations and
/// deletions, and compares the token's objects with the store's rows. Idempotent. Destroys nothing
/// but what a condemned key's rows name.
Result<ReconcileReport> reconcile(Domain& domain, const store::Contents& contents,
                                  ReconcileDepth depth);

/// Takes births whose token went away in the middle to an end, as far as the token answers now.
void settle_stranded_births(Domain& domain);

}  // namespace keyhold::kms

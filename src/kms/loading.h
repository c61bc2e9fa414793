// Showing what the store holds: the rows, as the domain keeps them in memory.
#pragma once

#include "kms/domain.h"

namespace keyhold::kms {

/// Puts keys, aliases, grants, wrapping keys, custody keys and uses where calls find them. Keys
/// whose destruction was recorded are condemned instead. kKmsInternal for rows that do not fit
/// together.
Result<void> load_rows(Domain& domain, const store::Contents& contents);

}  // namespace keyhold::kms

// Which key an identifier names: a key id, a key ARN, an alias name or an alias ARN (developer
// guide, "Key identifiers").
#pragma once

#include <string_view>

#include "kms/domain.h"

namespace keyhold::kms {

/// Service::find_key(), over the domain's directories.
Result<KeyPtr> find_key(const Domain& domain, const Scope& scope, std::string_view identifier,
                        KeyLookup lookup);

}  // namespace keyhold::kms

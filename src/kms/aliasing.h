// Making, moving and ending aliases: each is one row, written before the answer.
#pragma once

#include <string_view>

#include "kms/domain.h"

namespace keyhold::kms {

// Service's operations of these names. The target's state is looked at under its lock, and alias
// changes happen one after another.
Result<void> create_alias(Domain& domain, const Scope& scope, std::string_view name,
                          const Key& target);
Result<void> update_alias(Domain& domain, const Scope& scope, std::string_view name,
                          const Key& target);
Result<void> delete_alias(Domain& domain, const Scope& scope, std::string_view name);

/// The error of an alias that is not there.
Error alias_not_found(const Scope& scope, std::string_view name);

}  // namespace keyhold::kms

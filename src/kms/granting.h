// Making and ending grants: each is one row, written before the answer.
#pragma once

#include <string>
#include <string_view>

#include "kms/domain.h"
#include "kms/grant_token.h"

namespace keyhold::kms {

/// Makes the grant, or finds the one of the same name and parameters. A kill before the row leaves
/// nothing, one after it a grant.
Result<CreatedGrant> create_grant(Domain& domain, GrantTokens& tokens, const Key& key,
                                  const NewGrant& wanted, std::string_view issuing_account);

/// kNotFound if somebody else ended it first.
Result<void> delete_grant(Domain& domain, const store::GrantRecord& grant);

/// The error of a grant that is not there.
Error grant_not_found(std::string_view grant_id);

}  // namespace keyhold::kms

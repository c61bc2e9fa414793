#include "kms/known_principals.h"

#include <algorithm>

namespace keyhold::kms {

Result<void> KnownPrincipals::check(const iam::PolicyDocument& policy) const {
  for (const iam::Statement& statement : policy.statements()) {
    for (const iam::PrincipalPattern& pattern : statement.principals.patterns()) {
      if (pattern.arn().empty() || knows(pattern.arn())) continue;
      return iam::invalid_principal();
    }
  }
  return {};
}

Result<void> KnownPrincipals::check(const NewGrant& grant) const {
  for (const std::string& principal : {grant.grantee, grant.retiring_principal}) {
    if (principal.empty() || knows(principal)) continue;
    return invalid_principal(principal);
  }
  return {};
}

}  // namespace keyhold::kms

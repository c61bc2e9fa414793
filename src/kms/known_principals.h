// Whether the principals that policies and grants name must be there when they are named.
#pragma once

#include "base/result.h"
#include "iam/identity_directory.h"
#include "iam/policy_document.h"
#include "kms/grant.h"

namespace keyhold::kms {

/// Of an account, its root is always there: which accounts others have is not known here. Services
/// are not looked for either.
class KnownPrincipals {
 public:
  /// `identities` must outlive it; null: every principal counts as known.
  explicit KnownPrincipals(const iam::IdentityDirectory* identities) : identities_(identities) {}

  /// kMalformedPolicyDocument with AWS's sentence if a statement names a user, a role or a session
  /// of a role that is not there.
  Result<void> check(const iam::PolicyDocument& policy) const;

  /// kInvalidArn, likewise, for grantee and retiring principal.
  Result<void> check(const NewGrant& grant) const;

 private:
  bool knows(std::string_view arn) const {
    return identities_ == nullptr || identities_->knows(arn);
  }

  const iam::IdentityDirectory* identities_;
};

}  // namespace keyhold::kms

// Who may do what to which key: the one decision behind every call (developer guide,
// "Troubleshooting key access").
//
// It rests on what is in memory: compiled policies, and grants found by key and grantee. Its cost
// does not grow with grants that are not the caller's.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "iam/actor.h"
#include "kms/condition_keys.h"
#include "kms/grant.h"
#include "kms/grant_directory.h"
#include "kms/grant_token.h"
#include "kms/key.h"

namespace keyhold::kms {

/// Whether an operation works on keys of other accounts at all (developer guide, "AWS KMS
/// permissions").
enum class CrossAccount : std::uint8_t { kNo, kYes };

/// What is asked. Views and references live as long as the question.
struct AccessRequest {
  const iam::Actor& actor;
  const iam::Environment& environment;
  std::string_view action;  ///< `kms:Encrypt`
  /// Of an action without a key: `*`, or the ARN of an alias.
  std::string_view resource = "*";
  /// By which a grant would allow it; nothing: none does.
  std::optional<GrantOperation> grant_operation = {};
  CrossAccount cross_account = CrossAccount::kNo;
  const CallFacts& facts;
};

/// The answer and what it rests on.
struct Access {
  std::optional<Error> denial;  ///< kAccessDenied with AWS's text
  /// Which statement or grant decided, in words: for the audit trail and for explanations.
  std::string reason;
  GrantPtr grant = nullptr;  ///< the one that allowed it, if one did

  bool allowed() const { return !denial; }
};

/// Safe from many threads.
class Authorizer {
 public:
  Authorizer(const GrantDirectory& grants, const AliasDirectory& aliases)
      : grants_(grants), aliases_(aliases) {}

  /// In this order: an explicit deny in any policy; the key policy, and where it leaves the
  /// decision to the account the identity policies; a grant.
  Access decide(const AccessRequest& request) const;

  /// Whether the caller may retire `facts.grant`: its retiring principal may, its grantee if it
  /// says so, and the account that made it. No policy is enough; one can deny (developer guide,
  /// "Retiring and revoking grants").
  Access decide_retirement(const AccessRequest& request) const;

  /// Whether under that policy the caller could still put another one in its place.
  Access decide_lockout(const AccessRequest& request, const iam::PolicyDocument& policy) const;

 private:
  iam::Decision evaluate(const AccessRequest& request, const iam::PolicyDocument* policy,
                         std::string_view account) const;
  GrantPtr find_grant(const AccessRequest& request) const;
  bool covers(const store::GrantRecord& grant, const AccessRequest& request) const;
  bool account_lets(const AccessRequest& request) const;
  bool is_meant(std::string_view principal, const AccessRequest& request) const;

  const GrantDirectory& grants_;
  const AliasDirectory& aliases_;
};

/// For a key of another account, whether it exists or not.
Error foreign_resource_access_denied(std::string_view principal_arn, std::string_view action);

/// For a ciphertext whose key is not in the caller's account and region, or not allowed to them.
Error ciphertext_access_denied();

}  // namespace keyhold::kms

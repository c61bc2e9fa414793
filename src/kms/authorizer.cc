#include "kms/authorizer.h"

#include <algorithm>

#include "kms/principal_arn.h"

namespace keyhold::kms {
namespace {

Error access_denied(const AccessRequest& request, const iam::Decision& decision) {
  std::string text = "User: ";
  text.append(request.actor.principal.arn).append(" is not authorized to perform: ");
  text.append(request.action).append(" on resource: ");
  text.append(request.facts.key == nullptr ? request.resource : request.facts.key->arn());
  text.append(" ").append(iam::denial_reason(decision, request.action));
  return Error(ErrorCode::kAccessDenied, std::move(text));
}

bool is_foreign(const AccessRequest& request) {
  return request.facts.key != nullptr &&
         request.facts.key->record().account != request.actor.principal.account;
}

Access denied(const AccessRequest& request, const iam::Decision& decision) {
  Access access;
  // Another account's key is not told from one that is not there.
  access.denial = is_foreign(request)
                      ? foreign_resource_access_denied(request.actor.principal.arn, request.action)
                      : access_denied(request, decision);
  access.reason = decision.verdict == iam::Verdict::kExplicitDeny ? "denied by " : "";
  access.reason += iam::describe(decision);
  if (decision.not_understood) access.reason += ", something in which is not understood";
  return access;
}

Access allowed(std::string reason, GrantPtr grant = nullptr) {
  return {std::nullopt, "allowed by " + std::move(reason), std::move(grant)};
}

/// The encryption context that the call gives for this key.
const EncryptionContext& context_of(const CallFacts& facts) {
  static const EncryptionContext kNone;
  const EncryptionContext* context =
      facts.parameters.context(std::string(facts.member_prefix) + "EncryptionContext");
  return context == nullptr ? kNone : *context;
}

}  // namespace

iam::Decision Authorizer::evaluate(const AccessRequest& request, const iam::PolicyDocument* policy,
                                   std::string_view account) const {
  const ConditionKeys keys(request.facts, aliases_, request.actor.principal.account);
  const iam::Request question{
      .principal = request.actor.principal,
      .action = request.action,
      .resource = request.facts.key == nullptr ? request.resource
                                               : std::string_view(request.facts.key->arn()),
      .resource_account = account,
      .environment = request.environment,
      .service_keys = &keys,
      .identity_tags = request.actor.identity
                           ? std::span<const iam::Tag>(request.actor.identity->tags)
                           : std::span<const iam::Tag>()};
  return iam::evaluate(request.actor.policies(policy), question);
}

Access Authorizer::decide(const AccessRequest& request) const {
  const Key* key = request.facts.key;
  if (is_foreign(request) && request.cross_account == CrossAccount::kNo) {
    Access access;
    access.denial = foreign_resource_access_denied(request.actor.principal.arn, request.action);
    access.reason = "the operation does not work on keys of other accounts";
    return access;
  }
  const iam::Decision decision =
      evaluate(request, key == nullptr ? nullptr : key->policy().get(),
               key == nullptr ? std::string_view(request.actor.principal.account)
                              : std::string_view(key->record().account));
  if (decision.allowed()) return allowed(iam::describe(decision));
  if (decision.verdict == iam::Verdict::kExplicitDeny) return denied(request, decision);
  if (GrantPtr grant = find_grant(request)) {
    std::string reason = "grant " + grant->grant_id;
    return allowed(std::move(reason), std::move(grant));
  }
  return denied(request, decision);
}

GrantPtr Authorizer::find_grant(const AccessRequest& request) const {
  if (request.facts.key == nullptr || !request.grant_operation) return nullptr;
  const iam::Principal& principal = request.actor.principal;
  const auto look = [&](std::string_view grantee) -> GrantPtr {
    if (grantee.empty()) return nullptr;
    for (const GrantPtr& grant : grants_.find(request.facts.key->id(), grantee)) {
      if (covers(*grant, request)) return grant;
    }
    return nullptr;
  };
  if (auto grant = look(principal.arn)) return grant;
  if (auto grant = look(principal.role_arn)) return grant;
  // A grant to an account is the account's to pass on by its own policies.
  if (principal.account.empty()) return nullptr;
  const std::string root = root_arn(principal.account, principal.arn);
  if (root == principal.arn) return nullptr;
  auto grant = look(root);
  return grant && account_lets(request) ? grant : nullptr;
}

bool Authorizer::covers(const store::GrantRecord& grant, const AccessRequest& request) const {
  if (!allows(grant, *request.grant_operation)) return false;
  // Such a grant is for what an AWS service does on behalf of a resource, and none calls here.
  if (!grant.source_arn.empty()) return false;
  switch (*request.grant_operation) {
    case GrantOperation::kDescribeKey:
    case GrantOperation::kRetireGrant:
      return true;
    case GrantOperation::kCreateGrant: {
      const auto child = grant_of(request.facts.parameters);
      return child && covers_child(grant, *child);
    }
    default:
      return covers_context(grant, context_of(request.facts));
  }
}

/// Whether the caller's own account lets it do this, the key's policy aside.
bool Authorizer::account_lets(const AccessRequest& request) const {
  return evaluate(request, nullptr, request.actor.principal.account).allowed();
}

bool Authorizer::is_meant(std::string_view principal, const AccessRequest& request) const {
  const iam::Principal& caller = request.actor.principal;
  if (principal.empty()) return false;
  if (principal == caller.arn || principal == caller.role_arn) return true;
  return !caller.account.empty() && principal == root_arn(caller.account, caller.arn) &&
         account_lets(request);
}

Access Authorizer::decide_retirement(const AccessRequest& request) const {
  const store::GrantRecord& grant = *request.facts.grant;
  // What key policies say of RetireGrant does not count.
  const iam::Decision decision = evaluate(request, nullptr, request.actor.principal.account);
  if (decision.verdict == iam::Verdict::kExplicitDeny) return denied(request, decision);
  if (is_meant(grant.retiring_principal, request)) return allowed("being the retiring principal");
  if (allows(grant, GrantOperation::kRetireGrant) && is_meant(grant.grantee, request)) {
    return allowed("being the grantee of a grant that allows RetireGrant");
  }
  if (grant.issuing_account == request.actor.principal.account && account_lets(request)) {
    return allowed("being of the account that made the grant, by " + iam::describe(decision));
  }
  return denied(request, decision);
}

Access Authorizer::decide_lockout(const AccessRequest& request,
                                  const iam::PolicyDocument& policy) const {
  const iam::Decision decision = evaluate(request, &policy, request.actor.principal.account);
  if (decision.allowed()) return allowed(iam::describe(decision));
  Access access;
  access.denial = Error(ErrorCode::kMalformedPolicyDocument,
                        "The new key policy will not allow you to update the key policy in the "
                        "future.");
  access.reason = iam::describe(decision);
  return access;
}

Error foreign_resource_access_denied(std::string_view principal_arn, std::string_view action) {
  std::string text = "User: ";
  text.append(principal_arn).append(" is not authorized to perform: ").append(action);
  text.append(
      " on this resource because the resource does not exist in this Region, no resource-based "
      "policies allow access, or a resource-based policy explicitly denies access");
  return Error(ErrorCode::kAccessDenied, std::move(text));
}

Error ciphertext_access_denied() {
  return Error(ErrorCode::kAccessDenied,
               "The ciphertext refers to a customer master key that does not exist, does not exist "
               "in this region, or you are not allowed to access.");
}

}  // namespace keyhold::kms

#include "api/grants.h"

#include "kms/principal_arn.h"

namespace keyhold::api {
namespace {

kms::EncryptionContext context_of(const kms::GrantRecord& grant) {
  // It was an encryption context when the grant was made.
  auto context = kms::EncryptionContext::from_pairs(grant.context);
  return context ? std::move(*context) : kms::EncryptionContext();
}

std::optional<GrantConstraints> constraints_of(const kms::GrantRecord& grant) {
  GrantConstraints constraints;
  if (!grant.source_arn.empty()) constraints.source_arn = grant.source_arn;
  switch (grant.context_constraint) {
    case kms::ContextConstraint::kNone:
      if (!constraints.source_arn) return std::nullopt;
      break;
    case kms::ContextConstraint::kEquals:
      constraints.encryption_context_equals = context_of(grant);
      break;
    case kms::ContextConstraint::kSubset:
      constraints.encryption_context_subset = context_of(grant);
      break;
  }
  return constraints;
}

GrantListEntry to_wire(const kms::GrantRecord& grant, std::string key_arn) {
  GrantListEntry entry{.constraints = constraints_of(grant),
                       .creation_date = grant.created_at,
                       .grant_id = grant.grant_id,
                       .grantee_principal = grant.grantee,
                       .issuing_account = kms::root_arn(grant.issuing_account, grant.grantee),
                       .key_id = std::move(key_arn),
                       .name = grant.name,
                       .operations = {},
                       .retiring_principal = std::nullopt};
  for (const GrantOperation operation : grant.operations) {
    entry.operations.emplace_back(to_string(operation));
  }
  if (!grant.retiring_principal.empty()) entry.retiring_principal = grant.retiring_principal;
  return entry;
}

}  // namespace

GrantList to_wire(const kms::Page<kms::GrantPtr>& page,
                  const std::function<std::string(std::string_view key_id)>& arn_of) {
  GrantList list;
  for (const auto& grant : page.elements) {
    list.grants.push_back(to_wire(*grant, arn_of(grant->key_id)));
  }
  list.truncated = page.next_marker.has_value();
  list.next_marker = page.next_marker;
  return list;
}

}  // namespace keyhold::api

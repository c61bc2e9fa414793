#include "kms/granting.h"

#include <algorithm>

#include "kms/key_state.h"

namespace keyhold::kms {

Error grant_not_found(std::string_view grant_id) {
  return Error(ErrorCode::kNotFound, "Grant ID " + std::string(grant_id) + " not found");
}

Result<CreatedGrant> create_grant(Domain& domain, GrantTokens& tokens, const Key& key,
                                  const NewGrant& wanted, std::string_view issuing_account) {
  const auto lock = domain.locks.lock(key.id());
  TRY_ASSIGN(const auto newest, refresh(domain, key));
  TRY(check_state(StateRule::kEnabled, *newest));
  if (!wanted.name.empty()) {
    const auto named = domain.grants.named(key.id(), wanted.name);
    const auto same = std::ranges::find_if(named, [&](const GrantPtr& grant) {
      return is_same_grant(*grant, wanted, issuing_account);
    });
    if (same != named.end()) {
      TRY_ASSIGN(std::string token, tokens.issue(**same));
      return CreatedGrant{(*same)->grant_id, std::move(token)};
    }
  }
  if (domain.grants.count(key.id()) >= domain.options.grant_limit) {
    return Error(ErrorCode::kLimitExceeded, "The key " + key.arn() + " has " +
                                                std::to_string(domain.options.grant_limit) +
                                                " grants, as many as a key may have.");
  }
  auto grant = std::make_shared<store::GrantRecord>();
  grant->grant_id = ObjectName::draw(domain.random).hex();  // AWS's have as many digits
  grant->key_id = key.id();
  grant->name = wanted.name;
  grant->grantee = wanted.grantee;
  grant->retiring_principal = wanted.retiring_principal;
  grant->issuing_account = issuing_account;
  grant->operations = wanted.operations;
  grant->context_constraint = wanted.context_constraint;
  grant->context = wanted.context;
  grant->source_arn = wanted.source_arn;
  grant->created_at = std::chrono::floor<std::chrono::seconds>(domain.clock.now());
  // Before the row, so that no grant is left behind that nobody was told of.
  TRY_ASSIGN(std::string token, tokens.issue(*grant));
  TRY(domain.store.insert_grant(*grant));
  CreatedGrant created{grant->grant_id, std::move(token)};
  domain.grants.put(std::move(grant));
  return created;
}

Result<void> delete_grant(Domain& domain, const store::GrantRecord& grant) {
  const auto lock = domain.locks.lock(grant.key_id);
  if (domain.grants.find(grant.grant_id) == nullptr) return grant_not_found(grant.grant_id);
  TRY(domain.store.delete_grant(grant.grant_id));
  domain.grants.erase(grant);
  return {};
}

}  // namespace keyhold::kms

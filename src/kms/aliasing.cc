#include "kms/aliasing.h"

#include <mutex>
#include <string>

#include "kms/arn.h"
#include "kms/key_state.h"

namespace keyhold::kms {
namespace {

Result<void> check_alias_limit(const Domain& domain, const Scope& scope, const Key& target) {
  if (domain.aliases.count(scope, target.id()) >= domain.options.alias_limit) {
    return Error(ErrorCode::kLimitExceeded, "The key " + target.arn() + " has " +
                                                std::to_string(domain.options.alias_limit) +
                                                " aliases, as many as a key may have.");
  }
  return {};
}

}  // namespace

Error alias_not_found(const Scope& scope, std::string_view name) {
  return Error(ErrorCode::kNotFound,
               "Alias " + alias_arn(scope.region, scope.account, name) + " is not found.");
}

Result<void> create_alias(Domain& domain, const Scope& scope, std::string_view name,
                          const Key& target) {
  const std::lock_guard changes(domain.alias_changes);
  const auto lock = domain.locks.lock(target.id());
  TRY_ASSIGN(const auto newest, refresh(domain, target));
  TRY(check_state(StateRule::kNotPendingDeletion, *newest));
  TRY(check_alias_limit(domain, scope, target));
  store::AliasRecord alias;
  alias.account = scope.account;
  alias.region = scope.region;
  alias.name = name;
  alias.target_key_id = target.id();
  alias.created_at = alias.updated_at = domain.clock.now();
  if (const auto inserted = domain.store.insert_alias(alias); !inserted) {
    if (inserted.error().code() != ErrorCode::kAlreadyExists) return inserted.error();
    return Error(ErrorCode::kAlreadyExists, "An alias with the name " +
                                                alias_arn(scope.region, scope.account, name) +
                                                " already exists");
  }
  domain.aliases.put(alias);
  return {};
}

Result<void> update_alias(Domain& domain, const Scope& scope, std::string_view name,
                          const Key& target) {
  const std::lock_guard changes(domain.alias_changes);
  const auto lock = domain.locks.lock(target.id());
  auto alias = domain.aliases.find(scope, name);
  if (!alias) return alias_not_found(scope, name);
  TRY_ASSIGN(const auto newest, refresh(domain, target));
  TRY(check_state(StateRule::kNotPendingDeletion, *newest));
  if (alias->target_key_id != target.id()) TRY(check_alias_limit(domain, scope, target));
  alias->target_key_id = target.id();
  alias->updated_at = domain.clock.now();
  TRY(domain.store.update_alias(*alias));
  domain.aliases.put(*alias);
  return {};
}

Result<void> delete_alias(Domain& domain, const Scope& scope, std::string_view name) {
  const std::lock_guard changes(domain.alias_changes);
  if (!domain.aliases.find(scope, name)) return alias_not_found(scope, name);
  TRY(domain.store.delete_alias(scope.account, scope.region, name));
  domain.aliases.erase(scope, name);
  return {};
}

}  // namespace keyhold::kms

#include "kms/aliasing.h"

#include <mutex>
#include <string>

#include "base/key_spec.h"
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

/// Developer guide, "Aliases": the keys of one alias, one after another, are all symmetric, all
/// asymmetric or all HMAC keys, and of one usage. Only HMAC keys have the usage of HMAC keys.
Result<void> check_same_kind(const Scope& scope, std::string_view name,
                             const store::KeyRecord& from, const store::KeyRecord& to) {
  const auto refused = [&](std::string_view what, std::string_view old, std::string_view wanted) {
    return Error(ErrorCode::kValidation, "Alias " + alias_arn(scope.region, scope.account, name) +
                                             " cannot be changed from a key with " +
                                             std::string(what) + " " + std::string(old) +
                                             " to a key with " + std::string(what) + " " +
                                             std::string(wanted));
  };
  if (from.usage != to.usage) {
    return refused("key usage", to_string(from.usage), to_string(to.usage));
  }
  const auto type_of = [](KeySpec spec) { return is_pair(spec) ? "asymmetric" : "symmetric"; };
  if (is_pair(from.spec) != is_pair(to.spec)) {
    return refused("key type", type_of(from.spec), type_of(to.spec));
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
  if (alias->target_key_id != target.id()) {
    if (const KeyPtr old = domain.keys.find(alias->target_key_id)) {
      TRY(check_same_kind(scope, name, old->record(), newest->record()));
    }
    TRY(check_alias_limit(domain, scope, target));
  }
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

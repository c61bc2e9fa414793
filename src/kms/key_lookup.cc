#include "kms/key_lookup.h"

#include <string>

#include "kms/aliasing.h"
#include "kms/arn.h"

namespace keyhold::kms {
namespace {

bool is_in(const Scope& scope, const Key& key) {
  return key.record().account == scope.account && key.record().region == scope.region;
}

Error aliases_refused() {
  return Error(ErrorCode::kInvalidArn, "Key Aliases are not supported for this operation.");
}

// A key of another account, by its own ARN or that of an alias. What is not there cannot be told
// from what may not be used.
Result<KeyPtr> find_foreign_key(const Domain& domain, const Arn& arn) {
  const Scope scope{std::string(arn.account), std::string(arn.region)};
  std::string key_id;
  if (arn.resource.starts_with("alias/")) {
    if (const auto alias = domain.aliases.find(scope, arn.resource)) {
      key_id = alias->target_key_id;
    }
  } else if (arn.resource.starts_with("key/")) {
    key_id = arn.resource.substr(4);
  }
  auto key = domain.keys.find(key_id);
  if (key && is_in(scope, *key)) return key;
  return Error(ErrorCode::kAccessDenied);
}

}  // namespace

Result<KeyPtr> find_key(const Domain& domain, const Scope& scope, std::string_view identifier,
                        KeyLookup lookup) {
  std::string_view name = identifier;
  bool in_arn = false;
  if (identifier.starts_with("arn:")) {
    const auto arn = parse_arn(identifier);
    // A partition that is not the region's names nothing that could be here.
    if (!arn || arn->partition != partition_of(arn->region)) {
      return Error(ErrorCode::kInvalidArn, "Invalid arn " + std::string(identifier));
    }
    name = arn->resource;
    in_arn = true;
    if (name.starts_with("alias/") && lookup == KeyLookup::kIdOrArn) return aliases_refused();
    if (arn->region != scope.region) {
      return Error(ErrorCode::kNotFound, "Invalid arn " + std::string(arn->region));
    }
    if (arn->account != scope.account) return find_foreign_key(domain, *arn);
  }
  if (in_arn && name.starts_with("key/")) {
    name.remove_prefix(4);
  } else if (name.starts_with("alias/")) {
    if (lookup == KeyLookup::kIdOrArn) return aliases_refused();
    const auto alias = domain.aliases.find(scope, name);
    if (!alias) return alias_not_found(scope, name);
    auto key = domain.keys.find(alias->target_key_id);
    if (!key) return alias_not_found(scope, name);  // its target went away this instant
    return key;
  }
  if (!is_key_id(name)) {
    return Error(ErrorCode::kNotFound, in_arn ? "Invalid keyId " + std::string(name)
                                              : "Invalid keyId '" + std::string(name) + "'");
  }
  if (auto key = domain.keys.find(name); key && is_in(scope, *key)) return key;
  return Error(ErrorCode::kNotFound,
               "Key '" + key_arn(scope.region, scope.account, name) + "' does not exist");
}

}  // namespace keyhold::kms

#include "kms/loading.h"

#include <unordered_map>

namespace keyhold::kms {

Result<void> load_rows(Domain& domain, const store::Contents& contents) {
  std::unordered_map<std::string_view, std::vector<const store::MaterialRecord*>> materials;
  for (const auto& row : contents.materials) materials[row.key_id].push_back(&row);
  std::unordered_map<std::string_view, KeyPolicyPtr> default_policies;  // by account
  std::unordered_map<std::string_view, store::IntentRecord> intents;
  for (const auto& intent : contents.intents) intents.emplace(intent.key_id, intent);

  for (const auto& row : contents.keys) {
    std::vector<KeyMaterialPtr> of_key;
    for (const auto* material : materials[row.id]) {
      of_key.push_back(std::make_shared<const KeyMaterial>(*material, kind_of(row)));
    }
    if (of_key.empty() && row.origin != KeyOrigin::kExternal) {
      return Error(ErrorCode::kKmsInternal, {}, "key " + row.id + " has no key material row");
    }
    const auto intent = intents.find(row.id);
    KeyPolicyPtr policy;
    if (row.policy.empty()) {
      KeyPolicyPtr& shared = default_policies[row.account];
      if (!shared) shared = compile_policy(row);
      policy = shared;
    }
    auto key = std::make_shared<const Key>(
        row, std::move(of_key),
        intent == intents.end() ? std::nullopt : std::optional(intent->second), std::move(policy));
    if (row.destroying) {
      domain.condemned.push_back(std::move(key));
    } else {
      domain.keys.put(key);
    }
  }
  for (const auto& alias : contents.aliases) {
    if (domain.keys.find(alias.target_key_id)) domain.aliases.put(alias);
  }
  std::vector<GrantPtr> grants;
  for (const auto& grant : contents.grants) {
    if (domain.keys.find(grant.key_id)) {
      grants.push_back(std::make_shared<const store::GrantRecord>(grant));
    }
  }
  domain.grants.load(grants);
  for (const auto& wrapping_key : contents.wrapping_keys) domain.wrapping_keys.put(wrapping_key);
  for (const auto& custody_key : contents.custody_keys) domain.custody_keys.put(custody_key);
  domain.usages.load(contents.usages);
  return {};
}

}  // namespace keyhold::kms

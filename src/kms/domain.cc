#include "kms/domain.h"

namespace keyhold::kms {

Result<KeyPtr> refresh(const Domain& domain, const Key& key) {
  auto newest = domain.keys.find(key.id());
  if (!newest) return Error(ErrorCode::kNotFound, "Key '" + key.arn() + "' does not exist");
  return newest;
}

Result<void> write_key(Domain& domain, const Key& newest, store::KeyRecord record) {
  TRY(domain.store.update_key(record));
  ++record.version;
  KeyPolicyPtr policy = record.policy == newest.record().policy ? newest.policy() : nullptr;
  domain.keys.put(std::make_shared<const Key>(std::move(record), newest.materials(),
                                              newest.running_intent(), std::move(policy)));
  return {};
}

}  // namespace keyhold::kms

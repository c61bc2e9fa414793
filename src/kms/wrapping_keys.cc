#include "kms/wrapping_keys.h"

#include <algorithm>

#include "base/log.h"
#include "kms/domain.h"
#include "kms/import_token.h"

namespace keyhold::kms {

void WrappingKeyDirectory::put(const store::WrappingKeyRecord& record) {
  const std::lock_guard lock(mutex_);
  records_.insert_or_assign(record.object_name, record);
}

void WrappingKeyDirectory::erase(const ObjectName& name) {
  const std::lock_guard lock(mutex_);
  records_.erase(name);
}

std::vector<store::WrappingKeyRecord> WrappingKeyDirectory::of_key(std::string_view key_id) const {
  const std::lock_guard lock(mutex_);
  std::vector<store::WrappingKeyRecord> found;
  for (const auto& [name, record] : records_) {
    if (record.key_id == key_id) found.push_back(record);
  }
  return found;
}

std::vector<store::WrappingKeyRecord> WrappingKeyDirectory::expired(TimePoint now) const {
  const std::lock_guard lock(mutex_);
  std::vector<store::WrappingKeyRecord> found;
  for (const auto& [name, record] : records_) {
    if (record.expires_at <= now) found.push_back(record);
  }
  return found;
}

std::size_t WrappingKeyDirectory::size() const {
  const std::lock_guard lock(mutex_);
  return records_.size();
}

Result<store::WrappingKeyRecord> provide_wrapping_key(Domain& domain, const Key& key, KeySpec spec,
                                                      WrappingAlgorithm algorithm) {
  auto known = domain.wrapping_keys.of_key(key.id());
  std::erase_if(known, [&](const store::WrappingKeyRecord& record) {
    return record.spec != spec || record.algorithm != algorithm || record.public_key.empty() ||
           record.expires_at <= domain.clock.now();
  });
  if (known.size() >= kWrappingKeysOfAKind) {
    auto record = *std::ranges::max_element(known, {}, &store::WrappingKeyRecord::expires_at);
    record.expires_at = domain.clock.now() + ImportTokens::kLifetime;
    TRY(domain.store.put_wrapping_key(record));
    domain.wrapping_keys.put(record);
    return record;
  }
  TRY(domain.token.check());
  TRY_ASSIGN(auto record, begin_wrapping_key(domain, key, spec, algorithm));
  auto public_key = generate_wrapping_key(domain, record);
  if (!public_key) {
    // Nobody knows of it, so it need not wait for its end.
    if (const auto gone = destroy_wrapping_key(domain, record); !gone) {
      log::warning("the wrapping key " + record.object_name.hex() +
                   " will be destroyed later: " + gone.error().detail());
    }
    return public_key.error();
  }
  TRY(finish_wrapping_key(domain, record, std::move(*public_key)));
  return record;
}

Result<store::WrappingKeyRecord> begin_wrapping_key(Domain& domain, const Key& key, KeySpec spec,
                                                    WrappingAlgorithm algorithm) {
  if (domain.wrapping_keys.size() >= domain.options.wrapping_key_limit) {
    return Error(ErrorCode::kThrottling,
                 "There are as many wrapping keys as there may be. Each is gone 24 hours after it "
                 "was made.");
  }
  store::WrappingKeyRecord record;
  record.object_name = ObjectName::draw(domain.random);
  record.key_id = key.id();
  record.algorithm = algorithm;
  record.spec = spec;
  record.expires_at = domain.clock.now() + ImportTokens::kLifetime;
  TRY(domain.store.put_wrapping_key(record));
  domain.wrapping_keys.put(record);
  return record;
}

Result<Bytes> generate_wrapping_key(Domain& domain, const store::WrappingKeyRecord& record) {
  return domain.token.generate_wrapping_key({record.object_name, record.spec, record.algorithm});
}

Result<void> finish_wrapping_key(Domain& domain, store::WrappingKeyRecord& record,
                                 Bytes public_key) {
  record.public_key = std::move(public_key);
  TRY(domain.store.put_wrapping_key(record));
  domain.wrapping_keys.put(record);
  return {};
}

Result<void> destroy_wrapping_key(Domain& domain, const store::WrappingKeyRecord& record) {
  TRY(domain.token.destroy_material(record.object_name));
  TRY(domain.store.erase_wrapping_key(record.object_name));
  domain.wrapping_keys.erase(record.object_name);
  return {};
}

void destroy_expired_wrapping_keys(Domain& domain) {
  for (const auto& record : domain.wrapping_keys.expired(domain.clock.now())) {
    if (const auto gone = destroy_wrapping_key(domain, record); !gone) {
      log::warning("the expired wrapping key " + record.object_name.hex() +
                   " will be destroyed later: " + gone.error().detail());
    }
  }
}

}  // namespace keyhold::kms

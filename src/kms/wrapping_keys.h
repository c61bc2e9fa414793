// Wrapping keys: pairs in the token under whose public half key material comes to a KMS key. They
// live for a day, and there is a bound on how many there are.
#pragma once

#include <mutex>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "kms/key.h"
#include "store/store.h"

namespace keyhold::kms {

struct Domain;

/// What is stored of them, in memory. Safe from many threads.
class WrappingKeyDirectory {
 public:
  void put(const store::WrappingKeyRecord& record);
  void erase(const ObjectName& name);
  std::vector<store::WrappingKeyRecord> of_key(std::string_view key_id) const;
  std::vector<store::WrappingKeyRecord> expired(TimePoint now) const;
  std::size_t size() const;

 private:
  mutable std::mutex mutex_;
  std::unordered_map<ObjectName, store::WrappingKeyRecord> records_;
};

/// Of one KMS key, algorithm and spec. A further call gets the youngest of them once more, with a
/// new import token, so that those given out before stay good for their time.
inline constexpr std::size_t kWrappingKeysOfAKind = 2;

/// The wrapping key for an import that begins now: a new one, or one that is lent again.
/// kThrottling when the deployment has as many as it may.
Result<store::WrappingKeyRecord> provide_wrapping_key(Domain& domain, const Key& key, KeySpec spec,
                                                      WrappingAlgorithm algorithm);

// --- The steps of a new one ---

/// Step 1. Draws the name and writes the row. A kill leaves it; it is destroyed when it expires.
Result<store::WrappingKeyRecord> begin_wrapping_key(Domain& domain, const Key& key, KeySpec spec,
                                                    WrappingAlgorithm algorithm);
/// Step 2. Makes the pair under that name. A kill leaves its objects, whole or not, and the row.
Result<Bytes> generate_wrapping_key(Domain& domain, const store::WrappingKeyRecord& record);
/// Step 3. Writes the public key. A kill leaves a wrapping key that nobody was told of.
Result<void> finish_wrapping_key(Domain& domain, store::WrappingKeyRecord& record,
                                 Bytes public_key);

/// Destroys the objects, then erases the row. A kill in between leaves the row; destroying what is
/// gone succeeds.
Result<void> destroy_wrapping_key(Domain& domain, const store::WrappingKeyRecord& record);
/// The same for all that have expired; one that fails is tried again at the next call.
void destroy_expired_wrapping_keys(Domain& domain);

}  // namespace keyhold::kms

// Every alias there is, in memory: found by name without a lock that all cores share, listed in
// order.
#pragma once

#include <array>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>

#include "base/snapshot.h"
#include "kms/key_directory.h"
#include "kms/page.h"
#include "kms/scope.h"
#include "store/store.h"

namespace keyhold::kms {

/// Safe from many threads; writers are kept apart by the caller.
class AliasDirectory {
 public:
  std::optional<store::AliasRecord> find(const Scope& scope, std::string_view name) const;

  void put(const store::AliasRecord& alias);
  void erase(const Scope& scope, std::string_view name);
  /// Erases every alias of a key.
  void erase_target(const Scope& scope, std::string_view key_id);

  /// Aliases of the scope in the order of their names; only those of `key_id`, unless it is empty.
  Result<Page<store::AliasRecord>> list(const Scope& scope, std::string_view key_id,
                                        const PageRequest& page) const;
  /// The names of the key's aliases, in order.
  std::vector<std::string> names_of(const Scope& scope, std::string_view key_id) const;
  std::size_t count(const Scope& scope, std::string_view key_id) const;

 private:
  using Shard = std::unordered_map<std::string, store::AliasRecord, TextHash, std::equal_to<>>;
  using Place = std::tuple<std::string, std::string, std::string>;  // account, region, name
  // account, region, target, name
  using TargetPlace = std::tuple<std::string, std::string, std::string, std::string>;

  static constexpr std::size_t kShards = 64;
  void erase_locked(const Scope& scope, std::string_view name);

  std::array<Snapshot<Shard>, kShards> shards_;
  mutable std::mutex mutex_;
  std::map<Place, store::AliasRecord> listed_;
  std::set<TargetPlace> by_target_;
};

}  // namespace keyhold::kms

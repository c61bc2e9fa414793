// Every grant there is, in memory: found by key and grantee without a lock that all cores share, at
// a cost that does not depend on the grants of others; listed in order.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "base/snapshot.h"
#include "kms/grant.h"
#include "kms/key_directory.h"
#include "kms/page.h"

namespace keyhold::kms {

/// What ListGrants is asked for; empty members ask for nothing.
struct GrantFilter {
  std::string_view key_id;
  std::string_view grant_id{};
  std::string_view grantee{};
};

/// Safe from many threads; two writers of one key's grants are kept apart by the caller.
class GrantDirectory {
 public:
  /// All of them at once, before anybody asks.
  void load(const std::vector<GrantPtr>& grants);
  void put(const GrantPtr& grant);
  void erase(const store::GrantRecord& grant);
  /// Erases every grant on a key.
  void erase_key(std::string_view key_id);

  /// The grants on that key for exactly that grantee. The reference is good until this thread's
  /// next call.
  const std::vector<GrantPtr>& find(std::string_view key_id, std::string_view grantee) const;

  /// Null if there is none.
  GrantPtr find(std::string_view grant_id) const;
  /// The grants on the key that have the name.
  std::vector<GrantPtr> named(std::string_view key_id, std::string_view name) const;
  std::size_t count(std::string_view key_id) const;

  /// By grant id.
  Result<Page<GrantPtr>> list(const GrantFilter& filter, const PageRequest& page) const;
  /// Those that the principal may retire and for which `is_meant` holds, by grant id.
  Result<Page<GrantPtr>> list_retirable(
      std::string_view retiring_principal,
      const std::function<bool(const store::GrantRecord&)>& is_meant,
      const PageRequest& page) const;

 private:
  using Grants = std::vector<GrantPtr>;
  // By key id and grantee.
  using Shard =
      std::unordered_map<std::string, std::shared_ptr<const Grants>, TextHash, std::equal_to<>>;
  using Place = std::pair<std::string, std::string>;  // key id or principal, grant id

  static constexpr std::size_t kShards = 256;  // a change copies one of them
  void list_locked(const GrantPtr& grant);
  void erase_locked(const store::GrantRecord& grant);
  Snapshot<Shard>& shard_of(std::string_view place);
  const Snapshot<Shard>& shard_of(std::string_view place) const;

  std::array<Snapshot<Shard>, kShards> shards_;
  mutable std::mutex mutex_;
  std::unordered_map<std::string, GrantPtr, TextHash, std::equal_to<>> by_id_;
  std::map<Place, GrantPtr> by_key_;
  std::map<Place, GrantPtr> by_retiring_principal_;
  std::map<std::tuple<std::string, std::string, std::string>, GrantPtr> by_name_;
  std::unordered_map<std::string, std::size_t, TextHash, std::equal_to<>> counts_;  // by key id
};

}  // namespace keyhold::kms

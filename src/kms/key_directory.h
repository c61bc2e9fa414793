// Every KMS key there is, in memory: found by id without a lock that all cores share, listed in
// order, and asked for what is due.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/snapshot.h"
#include "kms/key.h"
#include "kms/page.h"
#include "kms/scope.h"

namespace keyhold::kms {

/// Lets a hash map keyed by std::string be searched by std::string_view.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>{}(text);
  }
};

/// Safe from many threads; two writers of one key are kept apart by the caller (KeyLocks).
class KeyDirectory {
 public:
  /// Null if there is none.
  KeyPtr find(std::string_view id) const;

  /// Adds the key or replaces the one of its id.
  void put(const KeyPtr& key);
  void erase(std::string_view id);

  /// Keys of the scope in the order of their ids.
  Result<Page<KeyPtr>> list(const Scope& scope, const PageRequest& page) const;
  std::vector<KeyPtr> all() const;

  /// Keys whose rotation or deletion date, or the end of a material, has come, the earliest first.
  std::vector<KeyPtr> due(TimePoint now) const;

  /// Keys with a running rotation or import, with a rotation that is not announced yet, or with a
  /// material whose removal has begun.
  std::vector<KeyPtr> unfinished() const;

 private:
  using Shard = std::unordered_map<std::string, KeyPtr, TextHash, std::equal_to<>>;
  using ListPlace = std::tuple<std::string, std::string, std::string>;  // account, region, id

  static constexpr std::size_t kShards = 256;  // a change copies one of them
  Snapshot<Shard>& shard_of(std::string_view id);
  const Snapshot<Shard>& shard_of(std::string_view id) const;
  void unlist(const Key& key);
  std::vector<KeyPtr> find_all(const std::vector<std::string>& ids) const;

  std::array<Snapshot<Shard>, kShards> shards_;
  mutable std::mutex mutex_;  // writers, and the orders below
  std::map<ListPlace, KeyPtr> listed_;
  std::set<std::pair<TimePoint, std::string>> due_;
  std::set<std::string> unfinished_;
};

/// One lock per key, near enough: changes of one key happen one after another.
class KeyLocks {
 public:
  std::unique_lock<std::mutex> lock(std::string_view key_id) {
    return std::unique_lock(stripes_[std::hash<std::string_view>{}(key_id) % stripes_.size()]);
  }

 private:
  std::array<std::mutex, 64> stripes_;
};

}  // namespace keyhold::kms

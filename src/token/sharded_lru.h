// A bounded map that forgets what was used longest ago, in shards with a lock each, so that cores
// that look for different keys seldom meet.
#pragma once

#include <array>
#include <cstddef>
#include <functional>
#include <list>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

namespace keyhold::token {

/// `Value` is cheap to copy (a shared pointer) and is destroyed outside the locks.
template <typename Key, typename Value, typename Hash = std::hash<Key>>
class ShardedLru {
 public:
  static constexpr std::size_t kShards = 16;

  /// `capacity`: entries at most, shared out evenly among the shards; at least one each.
  explicit ShardedLru(std::size_t capacity)
      : per_shard_(capacity / kShards == 0 ? 1 : capacity / kShards) {}

  std::optional<Value> find(const Key& key) {
    Shard& shard = shard_of(key);
    std::lock_guard lock(shard.mutex);
    const auto found = shard.index.find(key);
    if (found == shard.index.end()) return std::nullopt;
    shard.order.splice(shard.order.begin(), shard.order, found->second);
    return found->second->second;
  }

  /// The value that stands under the key afterwards: the one that was there, if there was one.
  Value insert(const Key& key, Value value) {
    std::optional<Value> forgotten;
    Shard& shard = shard_of(key);
    std::lock_guard lock(shard.mutex);
    const auto found = shard.index.find(key);
    if (found != shard.index.end()) return found->second->second;
    if (shard.index.size() >= per_shard_) {
      forgotten = std::move(shard.order.back().second);
      shard.index.erase(shard.order.back().first);
      shard.order.pop_back();
    }
    shard.order.emplace_front(key, value);
    shard.index.emplace(key, shard.order.begin());
    return value;
  }

  void erase(const Key& key) {
    std::optional<Value> forgotten;
    Shard& shard = shard_of(key);
    std::lock_guard lock(shard.mutex);
    const auto found = shard.index.find(key);
    if (found == shard.index.end()) return;
    forgotten = std::move(found->second->second);
    shard.order.erase(found->second);
    shard.index.erase(found);
  }

  /// Forgets every entry for which `condition(key, value)` holds.
  template <typename Condition>
  void erase_if(Condition condition) {
    for (Shard& shard : shards_) {
      std::list<std::pair<Key, Value>> forgotten;
      std::lock_guard lock(shard.mutex);
      for (auto entry = shard.order.begin(); entry != shard.order.end();) {
        const auto next = std::next(entry);
        if (condition(entry->first, entry->second)) {
          shard.index.erase(entry->first);
          forgotten.splice(forgotten.begin(), shard.order, entry);
        }
        entry = next;
      }
    }
  }

  std::size_t size() {
    std::size_t total = 0;
    for (Shard& shard : shards_) {
      std::lock_guard lock(shard.mutex);
      total += shard.index.size();
    }
    return total;
  }

 private:
  using Order = std::list<std::pair<Key, Value>>;  // the last used first
  struct alignas(64) Shard {
    std::mutex mutex;
    Order order;
    std::unordered_map<Key, typename Order::iterator, Hash> index;
  };

  Shard& shard_of(const Key& key) {
    // The map inside a shard uses the low bits, so the shard is chosen by others.
    return shards_[(Hash()(key) >> 40) % kShards];
  }

  const std::size_t per_shard_;
  std::array<Shard, kShards> shards_;
};

}  // namespace keyhold::token

// What a thread used lately, remembered by that thread alone: found without a lock, and without
// writing memory that another core reads.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

namespace keyhold::token {

/// Stands before a cache that all threads share and that owns the values; remembers them weakly, so
/// that a value lives no longer for having been used by a thread that sleeps now.
///
/// Keys that fall on the same place displace each other. Now and then find() finds nothing although
/// it could, so that the shared cache learns which values are in use.
template <typename Key, typename Value, typename Hash = std::hash<Key>>
class ThreadMemo {
 public:
  static constexpr std::size_t kPlaces = 1024;  // for each thread
  /// Every so many hits of a value in one thread, the shared cache is asked.
  static constexpr std::uint32_t kHitsBetweenAsking = 256;

  ThreadMemo() = default;
  ThreadMemo(const ThreadMemo&) = delete;
  ThreadMemo& operator=(const ThreadMemo&) = delete;

  /// To be read before the shared cache is asked for what put() then remembers.
  std::uint64_t epoch() const { return epoch_.load(std::memory_order_acquire); }

  /// Null if this thread has not put it since the last forget_all().
  std::shared_ptr<Value> find(const Key& key) {
    Entry& entry = place(key);
    if (entry.epoch != epoch() || !(entry.key == key)) return nullptr;
    if (++entry.hits == kHitsBetweenAsking) {
      entry.hits = 0;
      return nullptr;
    }
    return entry.value.lock();
  }

  /// `epoch`: as it was before `value` was looked up, so that a value forgotten meanwhile is not
  /// remembered.
  void put(const Key& key, const std::shared_ptr<Value>& value, std::uint64_t epoch) {
    Entry& entry = place(key);
    entry = Entry{key, value, epoch, 0};
  }

  /// No thread finds anything that was put before.
  void forget_all() { epoch_.fetch_add(1, std::memory_order_acq_rel); }

 private:
  struct Entry {
    Key key{};
    std::weak_ptr<Value> value;
    std::uint64_t epoch = 0;  // of no entry that was put
    std::uint32_t hits = 0;
  };
  struct Table {
    const void* owner = nullptr;
    std::weak_ptr<const void> life;  // of the owner, whose address another may have next
    std::vector<Entry> entries;
  };

  Entry& place(const Key& key) {
    return table().entries[(Hash()(key) ^ (Hash()(key) >> 32)) % kPlaces];
  }

  Table& table() {
    // A process has one token, or few: the table sought is nearly always the first.
    thread_local std::vector<Table> tables;
    for (Table& table : tables) {
      if (table.owner == this && !table.life.expired()) return table;
    }
    tables.erase(std::remove_if(tables.begin(), tables.end(),
                                [](const Table& table) { return table.life.expired(); }),
                 tables.end());
    tables.push_back(Table{this, life_, std::vector<Entry>(kPlaces)});
    return tables.back();
  }

  const std::shared_ptr<const void> life_ = std::make_shared<char>();
  std::atomic<std::uint64_t> epoch_{1};
};

}  // namespace keyhold::token

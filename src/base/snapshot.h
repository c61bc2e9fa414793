// A value that many threads read and few replace: readers share no lock and, while nothing changes,
// write no memory that another core reads.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

namespace keyhold {

/// Each thread keeps the last value it read and compares one version counter to see whether it is
/// still the newest. A replaced value lives until every thread that read it has read again or
/// ended.
template <typename T>
class Snapshot {
 public:
  explicit Snapshot(std::shared_ptr<const T> value) : id_(next_id()), value_(std::move(value)) {}
  Snapshot() : Snapshot(std::make_shared<const T>()) {}
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  /// The newest value; never null. The reference is good until this thread's next read of the same
  /// snapshot.
  const T& read() const {
    Seen& seen = seen_by_this_thread()[id_];
    if (seen.version != version_.load(std::memory_order_acquire)) {
      const std::lock_guard lock(mutex_);
      seen.value = value_;
      seen.version = version_.load(std::memory_order_relaxed);
    }
    return *seen.value;
  }

  /// The newest value, for a writer that makes the next one from it.
  std::shared_ptr<const T> latest() const {
    const std::lock_guard lock(mutex_);
    return value_;
  }

  /// Replaces the value; readers see it from now on. Writers keep each other out by themselves.
  void publish(std::shared_ptr<const T> value) {
    const std::lock_guard lock(mutex_);
    value_ = std::move(value);
    version_.fetch_add(1, std::memory_order_release);
  }

 private:
  struct Seen {
    std::uint64_t version = 0;
    std::shared_ptr<const T> value;
  };

  // Ids are never used again, so that what a thread saw of a dead snapshot is not taken for a new
  // one at the same address.
  static std::uint64_t next_id() {
    static std::atomic<std::uint64_t> last{0};
    return ++last;
  }
  static std::unordered_map<std::uint64_t, Seen>& seen_by_this_thread() {
    thread_local std::unordered_map<std::uint64_t, Seen> seen;
    return seen;
  }

  const std::uint64_t id_;
  mutable std::mutex mutex_;
  std::shared_ptr<const T> value_;
  std::atomic<std::uint64_t> version_{1};
};

}  // namespace keyhold

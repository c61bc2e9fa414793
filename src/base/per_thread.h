// One value for each thread that asks, which one other thread can visit: so that many threads hand
// in work without meeting each other.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace keyhold {

/// `T` keeps its own thread and the visitor apart, as with a mutex that only those two ever take.
template <typename T>
class PerThread {
 public:
  PerThread() = default;
  PerThread(const PerThread&) = delete;
  PerThread& operator=(const PerThread&) = delete;

  /// This thread's value, made at the first call. Takes no lock after that.
  T& here() {
    thread_local std::vector<Place> places;
    for (Place& place : places) {
      if (place.owner == id_) return *place.value;
    }
    // What only this thread still holds belonged to an owner that is gone.
    places.erase(std::remove_if(places.begin(), places.end(),
                                [](const Place& place) { return place.value.use_count() == 1; }),
                 places.end());
    places.push_back({id_, std::make_shared<T>()});
    const std::lock_guard lock(mutex_);
    all_.push_back(places.back().value);
    return *places.back().value;
  }

  /// Visits every thread's value; that of a thread that has ended for the last time.
  template <typename Visit>
  void for_each(Visit visit) {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = 0; i < all_.size();) {
      const bool ended = all_[i].use_count() == 1;
      visit(*all_[i]);
      if (ended) {
        all_.erase(all_.begin() + static_cast<std::ptrdiff_t>(i));
      } else {
        ++i;
      }
    }
  }

 private:
  struct Place {
    std::uint64_t owner;
    std::shared_ptr<T> value;
  };
  // Never used again, so that a new owner at the address of an old one is not taken for it.
  static std::uint64_t next_id() {
    static std::atomic<std::uint64_t> last{0};
    return ++last;
  }

  const std::uint64_t id_ = next_id();
  std::mutex mutex_;  // guards all_
  std::vector<std::shared_ptr<T>> all_;
};

}  // namespace keyhold

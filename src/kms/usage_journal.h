// The last successful cryptographic use of each key: noted on the path of every such call, kept in
// the store a little later.
#pragma once

#include <array>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "kms/key_directory.h"
#include "store/store.h"

namespace keyhold::kms {

/// Safe from many threads. Each notes in a stripe of its own, so that they do not meet.
class UsageJournal {
 public:
  /// What the store knew at the start.
  void load(const std::vector<store::UsageRecord>& usages);

  void note(const store::UsageRecord& usage);
  void forget(std::string_view key_id);

  /// The last use there was, saved or not; nothing if there was none.
  std::optional<store::UsageRecord> last(std::string_view key_id) const;

  /// Writes what was noted since the last time. What cannot be written waits for the next time.
  Result<void> save(store::Store& store);

 private:
  using Usages = std::unordered_map<std::string, store::UsageRecord, TextHash, std::equal_to<>>;
  struct Stripe {
    mutable std::mutex mutex;
    Usages usages;
  };

  static constexpr std::size_t kStripes = 64;
  Stripe& own_stripe();

  std::array<Stripe, kStripes> stripes_;
  mutable std::mutex mutex_;  // before any stripe's
  Usages known_;
  Usages unsaved_;
};

}  // namespace keyhold::kms

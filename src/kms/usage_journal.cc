#include "kms/usage_journal.h"

#include <atomic>

namespace keyhold::kms {
namespace {

/// Keeps the later of two uses of a key.
template <typename Usages>
void keep_later(Usages& usages, const store::UsageRecord& usage) {
  const auto at = usages.find(usage.key_id);
  if (at == usages.end()) {
    usages.emplace(usage.key_id, usage);
  } else if (at->second.used_at <= usage.used_at) {
    at->second = usage;
  }
}

}  // namespace

UsageJournal::Stripe& UsageJournal::own_stripe() {
  static std::atomic<std::size_t> threads{0};
  thread_local const std::size_t number = threads.fetch_add(1, std::memory_order_relaxed);
  return stripes_[number % kStripes];
}

void UsageJournal::load(const std::vector<store::UsageRecord>& usages) {
  const std::lock_guard lock(mutex_);
  for (const auto& usage : usages) keep_later(known_, usage);
}

void UsageJournal::note(const store::UsageRecord& usage) {
  Stripe& stripe = own_stripe();
  const std::lock_guard lock(stripe.mutex);
  keep_later(stripe.usages, usage);
}

void UsageJournal::forget(std::string_view key_id) {
  const std::lock_guard lock(mutex_);
  const auto erase = [&](Usages& usages) {
    if (const auto at = usages.find(key_id); at != usages.end()) usages.erase(at);
  };
  erase(known_);
  erase(unsaved_);
  for (Stripe& stripe : stripes_) {
    const std::lock_guard of_stripe(stripe.mutex);
    erase(stripe.usages);
  }
}

std::optional<store::UsageRecord> UsageJournal::last(std::string_view key_id) const {
  const std::lock_guard lock(mutex_);
  std::optional<store::UsageRecord> last;
  const auto consider = [&](const Usages& usages) {
    const auto at = usages.find(key_id);
    if (at != usages.end() && (!last || last->used_at <= at->second.used_at)) last = at->second;
  };
  consider(known_);
  for (const Stripe& stripe : stripes_) {
    const std::lock_guard of_stripe(stripe.mutex);
    consider(stripe.usages);
  }
  return last;
}

Result<void> UsageJournal::save(store::Store& store) {
  std::vector<store::UsageRecord> batch;
  {
    const std::lock_guard lock(mutex_);
    for (Stripe& stripe : stripes_) {
      const std::lock_guard of_stripe(stripe.mutex);
      for (const auto& [key_id, usage] : stripe.usages) {
        keep_later(known_, usage);
        keep_later(unsaved_, usage);
      }
      stripe.usages.clear();
    }
    for (const auto& [key_id, usage] : unsaved_) batch.push_back(usage);
  }
  if (batch.empty()) return {};
  TRY(store.put_usages(batch));
  const std::lock_guard lock(mutex_);
  for (const auto& usage : batch) {
    const auto at = unsaved_.find(usage.key_id);
    if (at != unsaved_.end() && at->second == usage) unsaved_.erase(at);
  }
  return {};
}

}  // namespace keyhold::kms

#include "iam/signing_key_cache.h"

#include <algorithm>
#include <atomic>
#include <functional>

namespace keyhold::iam {

SigningKeyCache::SigningKeyCache() : stripes_(kStripes) {}

bool SigningKeyCache::holds(const Entry& entry, const Credential& credential,
                            std::string_view scope) {
  return !entry.key.empty() && entry.generation == credential.generation &&
         entry.access_key_id == credential.access_key_id && entry.scope == scope;
}

std::size_t SigningKeyCache::set_of(const Credential& credential, std::string_view scope) {
  const std::hash<std::string_view> hash;
  return (hash(credential.access_key_id) * 31 + hash(scope)) % kSets;
}

SigningKeyCache::Stripe& SigningKeyCache::stripe() {
  static std::atomic<std::size_t> threads{0};
  thread_local const std::size_t index = threads.fetch_add(1, std::memory_order_relaxed) % kStripes;
  return stripes_[index];
}

std::optional<Secret> SigningKeyCache::find(const Credential& credential, std::string_view scope) {
  const std::size_t set = set_of(credential, scope);
  Stripe& mine = stripe();
  const std::lock_guard lock(mine.mutex);
  for (Entry& entry : mine.sets[set]) {
    if (!holds(entry, credential, scope)) continue;
    entry.used = ++mine.clock;
    return entry.key;
  }
  return std::nullopt;
}

void SigningKeyCache::insert(const Credential& credential, std::string_view scope,
                             const Secret& key) {
  const std::size_t set_index = set_of(credential, scope);
  Stripe& mine = stripe();
  const std::lock_guard lock(mine.mutex);
  Set& set = mine.sets[set_index];
  auto place = std::find_if(set.begin(), set.end(),
                            [&](const Entry& entry) { return holds(entry, credential, scope); });
  if (place == set.end()) {
    place = std::min_element(set.begin(), set.end(),
                             [](const Entry& a, const Entry& b) { return a.used < b.used; });
  }
  *place =
      Entry{credential.access_key_id, credential.generation, std::string(scope), key, ++mine.clock};
}

void SigningKeyCache::forget(std::string_view access_key_id) {
  for (Stripe& each : stripes_) {
    const std::lock_guard lock(each.mutex);
    for (Set& set : each.sets) {
      for (Entry& entry : set) {
        if (entry.access_key_id == access_key_id) entry = Entry();
      }
    }
  }
}

std::size_t SigningKeyCache::size() {
  std::size_t count = 0;
  for (Stripe& each : stripes_) {
    const std::lock_guard lock(each.mutex);
    for (const Set& set : each.sets) {
      count += static_cast<std::size_t>(std::count_if(
          set.begin(), set.end(), [](const Entry& entry) { return !entry.key.empty(); }));
    }
  }
  return count;
}

}  // namespace keyhold::iam

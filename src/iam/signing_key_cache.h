// Signing keys that verified a signature before.
#pragma once

#include <array>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/secret.h"
#include "iam/credential.h"

namespace keyhold::iam {

/// Signing keys by credential (access key id and generation) and scope. Bounded; what is evicted
/// or forgotten is wiped. It is in stripes with a mutex each and a thread keeps to one of them, so
/// that up to kStripes threads never meet.
class SigningKeyCache {
 public:
  static constexpr std::size_t kStripes = 16;
  static constexpr std::size_t kSets = 64;  ///< of a stripe
  static constexpr std::size_t kWays = 4;   ///< of a set
  static constexpr std::size_t kMaxEntries = kStripes * kSets * kWays;

  SigningKeyCache();

  /// What this thread's stripe has, if anything.
  std::optional<Secret> find(const Credential& credential, std::string_view scope);

  void insert(const Credential& credential, std::string_view scope, const Secret& key);

  /// Wipes every key of that access key id, on whichever thread it was made.
  void forget(std::string_view access_key_id);

  /// How many keys are held now.
  std::size_t size();

 private:
  struct Entry {
    std::string access_key_id;
    std::uint64_t generation = 0;
    std::string scope;
    Secret key;  ///< empty: a free place
    std::uint64_t used = 0;
  };
  using Set = std::array<Entry, kWays>;
  struct alignas(64) Stripe {
    std::mutex mutex;
    std::uint64_t clock = 0;
    std::vector<Set> sets{kSets};
  };

  static bool holds(const Entry& entry, const Credential& credential, std::string_view scope);
  static std::size_t set_of(const Credential& credential, std::string_view scope);
  Stripe& stripe();

  std::vector<Stripe> stripes_;
};

}  // namespace keyhold::iam

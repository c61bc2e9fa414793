// What the parts of the domain share; service.cc makes one and hands it to each.
#pragma once

#include <mutex>
#include <string>
#include <unordered_set>
#include <vector>

#include "kms/alias_directory.h"
#include "kms/custody_keys.h"
#include "kms/grant_directory.h"
#include "kms/key_directory.h"
#include "kms/service.h"
#include "kms/usage_journal.h"
#include "kms/wrapping_keys.h"

namespace keyhold::kms {

struct Domain {
  store::Store& store;
  token::Token& token;
  const Clock& clock;
  Random& random;
  EventSink& events;
  const ServiceOptions options;

  KeyDirectory keys{};
  AliasDirectory aliases{};
  GrantDirectory grants{};
  WrappingKeyDirectory wrapping_keys{};
  CustodyKeyDirectory custody_keys{};
  UsageJournal usages{};
  KeyLocks locks{};
  KeyLocks material_changes{};   ///< imports and removals of one key; taken before locks
  std::mutex custody_changes{};  // the making of custody keys, one at a time
  std::mutex rewrapping{};       // held by the one thread that wraps materials anew
  std::mutex alias_changes{};    // alias writes happen one after another

  /// Keys whose waiting period is over and whose objects are still to be destroyed. To callers
  /// they are gone.
  std::mutex condemned_mutex{};
  std::vector<KeyPtr> condemned{};
  std::mutex destructions{};  // held by the one thread that destroys

  /// Births that began and whose end is not known: the token went away in the middle. They are
  /// settled when it answers again.
  struct StrandedBirth {
    store::KeyRecord key;
    store::IntentRecord intent;
  };
  std::mutex stranded_mutex{};
  std::vector<StrandedBirth> stranded{};

  /// Keys with a rotation that a thread is working on right now; any other running rotation was
  /// interrupted and waits to be taken up again.
  std::mutex busy_mutex{};
  std::unordered_set<std::string> busy{};
};

/// The newest state of a key that a caller holds an older one of: kNotFound if it is gone.
Result<KeyPtr> refresh(const Domain& domain, const Key& key);

/// Writes the row and shows the key with it. `record` is the newest row, changed; the caller holds
/// the key's lock.
Result<void> write_key(Domain& domain, const Key& newest, store::KeyRecord record);

}  // namespace keyhold::kms

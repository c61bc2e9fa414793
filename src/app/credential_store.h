// Access keys: rows of the store with sealed secrets, opened into the snapshot that requests are
// verified against.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "app/identity_change.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "iam/credential_snapshot.h"
#include "store/store.h"
#include "token/sealer.h"

namespace keyhold::app {

/// An access key as its owner gets to see it.
struct AccessKey {
  std::string access_key_id;
  Secret secret_access_key;
};

class CredentialStore {
 public:
  CredentialStore(store::Store& store, token::Sealer& sealer, const Clock& clock, Random& random)
      : store_(store), sealer_(sealer), clock_(clock), random_(random) {}

  /// Opens every row of the store into the snapshot.
  Result<void> load();

  const iam::CredentialSnapshot& snapshot() const { return snapshot_; }

  /// The access key of that principal: the first active one there is, or a new one.
  struct Found {
    AccessKey key;
    std::optional<IdentityChange> made;  ///< of a new one
  };
  Result<Found> ensure(std::string_view account, std::string_view principal);

  /// Makes this access key one of that principal, whatever it was before; nothing is changed if it
  /// is that already.
  Result<std::optional<IdentityChange>> put(std::string_view account, std::string_view principal,
                                            const AccessKey& key);

  /// A further access key of that principal.
  struct Created {
    AccessKey key;
    IdentityChange change;
  };
  Result<Created> create(std::string_view account, std::string_view principal);

  /// kNotFound with a sentence if there is no such access key.
  Result<IdentityChange> set_status(std::string_view access_key_id, store::CredentialStatus status);

  /// All of them; their secrets stay sealed.
  Result<std::vector<store::CredentialRecord>> list();

 private:
  Result<store::CredentialRecord> sealed(std::string_view account, std::string_view principal,
                                         const AccessKey& key, std::uint64_t generation);

  store::Store& store_;
  token::Sealer& sealer_;
  const Clock& clock_;
  Random& random_;
  iam::CredentialSnapshot snapshot_;
};

}  // namespace keyhold::app

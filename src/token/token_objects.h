// The token's objects by their names: found, read and listed.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <shared_mutex>
#include <utility>
#include <vector>

#include "token/object_index.h"
#include "token/token.h"
#include "token/token_guard.h"

namespace keyhold::token {

/// All functions are for threads inside the token.
class TokenObjects {
 public:
  TokenObjects(TokenLink& link, TokenGuard& guard) : link_(link), guard_(guard) {}

  // Searching while an object is made makes some tokens fail, so one of these is held around each.
  // Several may make objects at once: an RSA key, which takes a second, holds up no other. They
  // hold nothing where the profile says that the token can do all at once.
  using Searching = std::unique_lock<std::shared_mutex>;
  using Making = std::shared_lock<std::shared_mutex>;
  /// Around what searches, and what destroys what it found.
  Searching searching();
  Making making();

  /// Reads the names of all objects anew.
  Result<void> index();
  /// Asks the token for the objects of that name, and remembers them. Under searching().
  pkcs11::Result<ObjectIndex::Handles> search(const ObjectName& name);
  /// The objects of that name are these and no others.
  void remember(const ObjectName& name, ObjectIndex::Handles objects) {
    index_.set(name, std::move(objects));
  }

  /// Of objects of one name: the private and secret ones apart from the public ones.
  struct Sorted {
    ObjectIndex::Handles keys;
    ObjectIndex::Handles public_keys;
  };
  pkcs11::Result<Sorted> sort(const ObjectIndex::Handles& objects);

  /// At least one handle of that name; kIndex: those known already will do.
  enum class Look : std::uint8_t { kIndex, kToken };
  Result<ObjectIndex::Handles> handles(const Inside& inside, const ObjectName& name, Look look);

  pkcs11::Result<ObjectEvidence> read(pkcs11::ObjectHandle object);
  Result<ObjectEvidence> evidence(const Inside& inside, const ObjectName& name);
  Result<std::vector<ListedObject>> list(const Inside& inside);

 private:
  TokenLink& link_;
  TokenGuard& guard_;
  ObjectIndex index_;
  std::atomic<std::uint64_t> indexed_generation_{0};
  std::mutex indexing_;
  std::mutex turn_;  ///< taken in passing, so that a stream of makers keeps no search waiting
  std::shared_mutex objects_;
};

}  // namespace keyhold::token

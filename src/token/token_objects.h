// The token's objects by their names: found, read and listed.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

#include "token/object_index.h"
#include "token/token.h"
#include "token/token_guard.h"

namespace keyhold::token {

/// All functions are for threads inside the token.
class TokenObjects {
 public:
  using Writing = std::unique_lock<std::mutex>;

  TokenObjects(TokenLink& link, TokenGuard& guard) : link_(link), guard_(guard) {}

  /// Held around what searches and what changes objects: doing both at once makes some tokens fail.
  /// Holds nothing where the profile says that the token can.
  Writing writing();

  /// Reads the names of all objects anew.
  Result<void> index();
  /// Asks the token for the objects of that name, and remembers them. Under writing().
  pkcs11::Result<ObjectIndex::Handles> search(const ObjectName& name);
  /// The object of that name is this one alone.
  void remember(const ObjectName& name, pkcs11::ObjectHandle object) { index_.set(name, {object}); }

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
  std::mutex writes_;
};

}  // namespace keyhold::token

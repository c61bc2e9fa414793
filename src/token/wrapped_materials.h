// Key materials of wrapped custody: generated and wrapped in one step, sealed, unwrapped on demand
// to session objects that are kept for a while, and wrapped anew.
#pragma once

#include <array>
#include <memory>
#include <mutex>

#include "base/random.h"
#include "token/capability.h"
#include "token/custody_keys.h"
#include "token/message_key.h"
#include "token/sharded_lru.h"
#include "token/token.h"
#include "token/token_guard.h"

namespace keyhold::token {

/// A material in the token: a session object that is sensitive, not extractable, and has computed
/// what the material's check value says. Gone with its last owner.
struct UnwrappedObject {
  Material material;
  std::shared_ptr<const SessionObject> object;
  /// Of one that messages are encrypted under. Its base is no longer to be used: see Materials.
  MaterialObjectPtr for_messages{};

  pkcs11::ObjectHandle handle() const { return object->handle(); }
};
using UnwrappedObjectPtr = std::shared_ptr<const UnwrappedObject>;

/// All functions are for threads inside the token; what they promise stands at Token's functions.
class WrappedMaterials {
 public:
  WrappedMaterials(TokenLink& link, TokenGuard& guard, TokenObjects& objects, CustodyKeys& keys,
                   const Capabilities& capabilities, Random& random)
      : link_(link),
        guard_(guard),
        objects_(objects),
        keys_(keys),
        capabilities_(capabilities),
        random_(random),
        unwrapped_(link.profile().unwrapped_material_cache) {}

  /// A new material: its blob, and the object that this is unwrapped to, which nobody has proven.
  struct New {
    Bytes blob;
    SessionObject object;
  };
  Result<New> generate(const Inside& inside, const CustodyKey& key, MaterialKind kind);
  /// The seal of a material whose wrapped form has everything else.
  Result<Bytes> seal(const Inside& inside, const Material& material);

  Result<WrappedForm> rewrap(const Inside& inside, const Material& material, const CustodyKey& key);

  /// The material in the token, as it was kept or unwrapped now: the row's seal is verified and the
  /// check value compared before.
  Result<UnwrappedObjectPtr> unwrapped(const Inside& inside, const Material& material);
  /// The same from the row alone.
  Result<void> check(const Inside& inside, const Material& material);
  Result<WrappedEvidence> evidence(const Inside& inside, const Material& material);

  void forget(const ObjectName& name) { unwrapped_.erase(name); }
  void forget_all() {
    unwrapped_.erase_if([](const auto&, const auto&) { return true; });
  }
  /// How many are held.
  std::size_t held() { return unwrapped_.size(); }

 private:
  bool is_current(const UnwrappedObject& unwrapped, const Material& material) const;
  Result<void> verify_seal(const Inside& inside, const Material& material);
  Result<SessionObject> unwrap(const Inside& inside, const ObjectName& custody_key, ByteView blob,
                               MaterialKind kind, Construction construction);
  /// Nothing for an object that is not the material.
  pkcs11::Result<UnwrappedObjectPtr> prove(const Material& material, SessionObject object);
  Result<UnwrappedObjectPtr> open(const Inside& inside, const Material& material);

  TokenLink& link_;
  TokenGuard& guard_;
  TokenObjects& objects_;
  CustodyKeys& keys_;
  const Capabilities& capabilities_;
  Random& random_;
  ShardedLru<ObjectName, UnwrappedObjectPtr> unwrapped_;
  std::array<std::mutex, 16> opening_;  ///< so that a material is not unwrapped by many at once
};

}  // namespace keyhold::token

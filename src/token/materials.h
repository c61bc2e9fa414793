// Key materials in the token: made, adopted, proven, opened and destroyed.
#pragma once

#include <array>
#include <mutex>
#include <optional>
#include <string_view>

#include "base/random.h"
#include "token/capability.h"
#include "token/key_cache.h"
#include "token/native_key.h"
#include "token/storage_folders.h"
#include "token/token.h"
#include "token/token_guard.h"
#include "token/token_objects.h"
#include "token/wrapped_materials.h"

namespace keyhold::token {

/// Why a key can leave the token, if it can, as far as the token shows it.
std::optional<std::string> openness(const ObjectEvidence& shown);
/// The same of what a key shows now; one that does not show it is taken for open.
std::optional<std::string> openness(TokenLink& link, pkcs11::ObjectHandle key);
/// The same of a key that was born in the token, which never could.
std::optional<std::string> custody_flaw(const ObjectEvidence& shown);

/// All functions are for threads inside the token; what they promise stands at Token's functions.
class Materials {
 public:
  Materials(TokenLink& link, TokenGuard& guard, TokenObjects& objects, KeyCache& cache,
            WrappedMaterials& wrapped, const Capabilities& capabilities, Random& random)
      : link_(link),
        guard_(guard),
        objects_(objects),
        cache_(cache),
        wrapped_(wrapped),
        capabilities_(capabilities),
        random_(random),
        folders_(link.profile().sync_folders, TokenObjectCopy::kNone) {}

  Result<GeneratedMaterial> generate(const Inside& inside, const ObjectName& name,
                                     std::string_view label, MaterialKind kind);
  Result<GeneratedMaterial> generate_wrapped(const Inside& inside, const CustodyKey& key,
                                             const ObjectName& name, MaterialKind kind,
                                             ByteView subject);
  Result<std::optional<GeneratedMaterial>> adopt(const Inside& inside, const ObjectName& name,
                                                 MaterialKind kind);
  Result<void> destroy(const Inside& inside, const ObjectName& name);

  /// The check value of a new material, whose object passes a use. `public_key`: of a pair.
  pkcs11::Result<GeneratedMaterial> prove_new(const KeyObjects& objects, MaterialKind kind,
                                              PublicKeyPtr public_key);

  // Of materials that messages are encrypted under:
  /// The object of that name which computes what the check value says.
  Result<MaterialObjectPtr> open(const Inside& inside, const Material& material);
  /// The same, kept for the next call.
  Result<WorkingMaterialPtr> working(const Inside& inside, const Material& material);

  /// What message keys are derived from: the object itself, or what it is unwrapped to now.
  struct Base {
    pkcs11::ObjectHandle handle;
    UnwrappedObjectPtr unwrapped{};  ///< keeps it while it is used
  };
  Result<Base> base(const Inside& inside, const MaterialObject& object, const Material& material);

  /// Forgets whatever was made of the material, since a handle of it was stale.
  void forget(const ObjectName& name);

  /// Whether what was opened is still that material, and its handles can be used.
  bool is_current(const MaterialObject& object, const Material& material) const;

 private:
  pkcs11::Result<KeyObjects> make(const ObjectName& name, std::string_view label,
                                  MaterialKind kind);
  pkcs11::Result<GeneratedMaterial> prove_objects(const KeyObjects& objects, MaterialKind kind);
  pkcs11::Result<GeneratedMaterial> prove_new_for_messages(pkcs11::ObjectHandle handle);

  TokenLink& link_;
  TokenGuard& guard_;
  TokenObjects& objects_;
  KeyCache& cache_;
  WrappedMaterials& wrapped_;
  const Capabilities& capabilities_;
  Random& random_;
  const StorageFolders folders_;
  std::array<std::mutex, 16> opening_;  ///< so that a material is not opened by many at once
};

}  // namespace keyhold::token

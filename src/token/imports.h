// Key material from outside: wrapping keys, what comes under them, and what is kept of it.
#pragma once

#include <optional>
#include <string_view>

#include "base/random.h"
#include "base/wrapping_algorithm.h"
#include "token/capability.h"
#include "token/materials.h"
#include "token/storage_folders.h"
#include "token/token.h"
#include "token/token_guard.h"
#include "token/token_objects.h"

namespace keyhold::token {

/// All functions are for threads inside the token; what they promise stands at Token's functions.
class Imports {
 public:
  Imports(TokenLink& link, TokenGuard& guard, TokenObjects& objects, Materials& materials,
          const Capabilities& capabilities, Random& random)
      : link_(link),
        guard_(guard),
        objects_(objects),
        materials_(materials),
        capabilities_(capabilities),
        random_(random),
        folders_(link.profile().sync_folders, TokenObjectCopy::kNone) {}

  Result<Bytes> generate_wrapping_key(const Inside& inside, const WrappingKey& wrapping_key);
  Result<UnwrappedMaterialPtr> unwrap(const Inside& inside, const WrappingKey& wrapping_key,
                                      MaterialKind kind, ByteView wrapped);
  Result<void> keep(const Inside& inside, const UnwrappedMaterial& material, const ObjectName& name,
                    std::string_view label);

 private:
  class Unwrapped;
  /// What the material is unwrapped with, in the token.
  struct Source {
    /// Of the RSA block, if it holds the material; else the material is wrapped by RFC 5649.
    std::optional<Algorithm> padding{};
    std::optional<SessionObject> held{};  ///< the unwrapping key, if it came along
    pkcs11::ObjectHandle unwrapping_key;
    Bytes wrapped;
    Custody custody = Custody::kImported;
  };

  pkcs11::Result<std::optional<Source>> open_in_token(pkcs11::ObjectHandle key,
                                                      const WrappingAlgorithmRow& row,
                                                      ByteView block, ByteView rest);
  pkcs11::Result<std::optional<Source>> open_in_service(pkcs11::ObjectHandle key, KeySpec spec,
                                                        const WrappingAlgorithmRow& row,
                                                        ByteView block, ByteView rest);
  pkcs11::Result<SessionObject> unwrap_from(const Source& source,
                                            const pkcs11::Attributes& attributes);
  /// Null for a material that is not of that kind.
  pkcs11::Result<PublicKeyPtr> find_public_key(const Source& source, MaterialKind kind,
                                               pkcs11::ObjectHandle key);
  pkcs11::Result<PublicKeyPtr> find_curve_key(const Source& source, MaterialKind kind);
  pkcs11::Result<bool> has_length(const Source& source, MaterialKind kind,
                                  pkcs11::ObjectHandle key);
  pkcs11::Result<UnwrappedMaterialPtr> prove(const Source& source, MaterialKind kind,
                                             SessionObject object);
  pkcs11::Result<Proof> prove_kept(const Unwrapped& material, pkcs11::ObjectHandle key);
  Error fail_proof(const Inside& inside, const pkcs11::Error& error, std::string_view what);

  TokenLink& link_;
  TokenGuard& guard_;
  TokenObjects& objects_;
  Materials& materials_;
  const Capabilities& capabilities_;
  Random& random_;
  const StorageFolders folders_;
};

}  // namespace keyhold::token

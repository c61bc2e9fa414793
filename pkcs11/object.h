// Objects: found, read, made, destroyed, and moved under a wrapping key.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "pkcs11/attributes.h"
#include "pkcs11/mechanism.h"
#include "pkcs11/session.h"

namespace keyhold::pkcs11 {

/// An object's handle and the object generation of the module it belongs to. Functions that take
/// one of an older generation answer CKR_OBJECT_HANDLE_INVALID without a call. Never stored
/// anywhere that outlives the process.
struct ObjectHandle {
  CK_OBJECT_HANDLE value = CK_INVALID_HANDLE;
  std::uint64_t generation = 0;

  friend bool operator==(const ObjectHandle&, const ObjectHandle&) = default;
};

inline bool is_stale(const Module& module, ObjectHandle object) {
  return object.generation != module.object_generation();
}

/// Answers CKR_OBJECT_HANDLE_INVALID, in the name of `function`, for a stale handle.
Result<void> require_current(const Session& session, ObjectHandle object, const char* function);

/// The objects that match, up to `limit`. The time is linear in the objects of the token. Some
/// modules fail to generate while another thread searches: callers keep these two apart.
Result<std::vector<ObjectHandle>> find_objects(Session& session, const Attributes& matching,
                                               std::size_t limit = SIZE_MAX);

enum class Shown : std::uint8_t {
  kShown,
  kUnknown,    ///< the token does not know such an attribute of this object (not "no", not "ok")
  kSensitive,  ///< the token has it and does not give it away
};

/// An attribute as the token shows it.
struct AttributeValue {
  CK_ATTRIBUTE_TYPE type;
  Shown shown;
  SecretBytes value;  ///< empty unless shown

  /// Nothing unless shown and of CK_BBOOL's or CK_ULONG's length.
  std::optional<bool> flag() const;
  std::optional<CK_ULONG> number() const;
};

/// One or several attributes, in the order asked for. For scalar and byte attributes; not for
/// those that hold templates.
Result<AttributeValue> get_attribute(Session& session, ObjectHandle object, CK_ATTRIBUTE_TYPE type);
Result<std::vector<AttributeValue>> get_attributes(Session& session, ObjectHandle object,
                                                   std::span<const CK_ATTRIBUTE_TYPE> types);

Result<ObjectHandle> create_object(Session& session, const Attributes& attributes);
Result<ObjectHandle> copy_object(Session& session, ObjectHandle object, const Attributes& changes);
Result<void> destroy_object(Session& session, ObjectHandle object);

Result<ObjectHandle> generate_key(Session& session, const Mechanism& mechanism,
                                  const Attributes& attributes);

struct KeyPair {
  ObjectHandle public_key;
  ObjectHandle private_key;
};
Result<KeyPair> generate_key_pair(Session& session, const Mechanism& mechanism,
                                  const Attributes& public_attributes,
                                  const Attributes& private_attributes);

Result<Bytes> wrap_key(Session& session, const Mechanism& mechanism, ObjectHandle wrapping_key,
                       ObjectHandle key);
Result<ObjectHandle> unwrap_key(Session& session, const Mechanism& mechanism,
                                ObjectHandle unwrapping_key, ByteView wrapped,
                                const Attributes& attributes);
Result<ObjectHandle> derive_key(Session& session, const Mechanism& mechanism, ObjectHandle base_key,
                                const Attributes& attributes);

}  // namespace keyhold::pkcs11

// Secret keys wrapped inside of a token and unwrapped there, as blobs that say how. Calls on a
// link, without recovery or cache.
//
// A blob is: version (1) · CK_MECHANISM_TYPE as 64 bits, big-endian · what C_WrapKey answered. The
// mechanism stands in it, so that a profile may change its mind.
#pragma once

#include "pkcs11/attributes.h"
#include "pkcs11/mechanism.h"
#include "token/session_objects.h"
#include "token/token_link.h"

namespace keyhold::token {

/// Generates a key with that template, wraps it, and destroys it. Whatever fails, no key is left.
pkcs11::Result<Bytes> generate_wrapped(TokenLink& link, CK_MECHANISM_TYPE generation,
                                       const pkcs11::Attributes& to_wrap,
                                       CK_MECHANISM_TYPE wrapping,
                                       pkcs11::ObjectHandle wrapping_key);

/// Unwraps with that template, wraps under another key, and destroys. The same holds.
pkcs11::Result<Bytes> rewrap(TokenLink& link, ByteView blob, pkcs11::ObjectHandle unwrapping_key,
                             const pkcs11::Attributes& to_wrap, CK_MECHANISM_TYPE wrapping,
                             pkcs11::ObjectHandle wrapping_key);

/// Unwraps with that template, to a session object with an owner.
pkcs11::Result<SessionObject> unwrap(TokenLink& link, ByteView blob,
                                     pkcs11::ObjectHandle unwrapping_key,
                                     const pkcs11::Attributes& attributes);

/// Wraps a key that stays where it is.
pkcs11::Result<Bytes> wrap(TokenLink& link, CK_MECHANISM_TYPE wrapping,
                           pkcs11::ObjectHandle wrapping_key, pkcs11::ObjectHandle key);

/// Both: what came back of a key, which stays where it is.
pkcs11::Result<SessionObject> wrap_and_unwrap(TokenLink& link, CK_MECHANISM_TYPE wrapping,
                                              pkcs11::ObjectHandle wrapping_key,
                                              pkcs11::ObjectHandle key,
                                              const pkcs11::Attributes& unwrapped);
/// What to say of a token where that is not the same key.
pkcs11::Error another_key_came_back();

}  // namespace keyhold::token

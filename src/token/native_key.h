// Keys of a token that work by themselves: they sign, authenticate, agree or decrypt RSA, each by
// the mechanisms of its kind. Calls on a link, without recovery or cache.
#pragma once

#include <optional>

#include "base/key_spec.h"
#include "pkcs11/object.h"
#include "token/message_key.h"
#include "token/public_key.h"
#include "token/token.h"
#include "token/token_link.h"

namespace keyhold::token {

/// The objects of a key: its private or secret one, and the public one of a pair.
struct KeyObjects {
  pkcs11::ObjectHandle key;
  std::optional<pkcs11::ObjectHandle> public_key{};
};

/// What C_Sign and C_Verify are given of a message that is to be signed: RSASSA-PKCS1-v1_5 in a
/// token wraps whatever it gets, so the DigestInfo (RFC 8017, section 9.2) is put before the digest
/// here.
Bytes to_be_signed(const AlgorithmRow& algorithm, const Message& message);

/// A signature in AWS's form, or an HMAC.
pkcs11::Result<Bytes> sign(TokenLink& link, KeySpec spec, pkcs11::ObjectHandle key,
                           const AlgorithmRow& algorithm, const Message& message);

/// In the token, for what cannot be verified outside.
pkcs11::Result<pkcs11::Verdict> verify(TokenLink& link, pkcs11::ObjectHandle public_key,
                                       const AlgorithmRow& algorithm, const Message& message,
                                       ByteView signature);

/// RSAES-OAEP in the token.
pkcs11::Result<Secret> decrypt_padded(TokenLink& link, pkcs11::ObjectHandle key,
                                      const AlgorithmRow& algorithm, ByteView ciphertext);

/// The bare RSA operation, into `block`, which is as long as the modulus.
pkcs11::Result<void> decrypt_bare(TokenLink& link, pkcs11::ObjectHandle key, ByteView ciphertext,
                                  std::span<std::uint8_t> block);

/// ECDH: the x coordinate. On a session of its own, since making and reading the object must not
/// hold up those that derive message keys.
pkcs11::Result<Secret> agree(TokenLink& link, KeySpec spec, pkcs11::ObjectHandle key,
                             ByteView point);

/// The public key of a pair, as its public object shows it.
pkcs11::Result<PublicKeyPtr> read_public_key(pkcs11::Session& session, KeySpec spec,
                                             pkcs11::ObjectHandle public_key);
pkcs11::Result<PublicKeyPtr> read_public_key(TokenLink& link, KeySpec spec,
                                             pkcs11::ObjectHandle public_key);

/// Of a new key: HMAC keys authenticate a domain string; of a pair it is the public key's
/// fingerprint.
pkcs11::Result<Bytes> make_check_value(TokenLink& link, MaterialKind kind, pkcs11::ObjectHandle key,
                                       const PublicKey* public_key);

/// The proof of life: whether the key computes what check value and public key say, by the
/// algorithm given (one of its kind that the token has). The public object, which has to show that
/// public key, is used where nothing outside of the token can verify.
pkcs11::Result<Proof> prove(TokenLink& link, const Material& material, const KeyObjects& objects,
                            Algorithm algorithm, Random& random);

}  // namespace keyhold::token

// Encryption, signatures, digests and random bytes: single-part calls, each a whole operation.
//
// Modules do not check that mechanism and key fit, nor lengths of digests: callers do. A call that
// fails between its two halves leaves the session broken, unless the token has said that the data
// was bad and so has ended the operation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "pkcs11/mechanism.h"
#include "pkcs11/object.h"
#include "pkcs11/secret.h"
#include "pkcs11/session.h"

namespace keyhold::pkcs11 {

/// Encrypts into `out` and answers the length used. An `out` of less than
/// mechanism.output_capacity(plaintext.size()) is refused with CKR_BUFFER_TOO_SMALL before any
/// call. For GCM the tag follows the ciphertext.
Result<std::size_t> encrypt_into(Session& session, const Mechanism& mechanism, ObjectHandle key,
                                 ByteView plaintext, std::span<std::uint8_t> out);
Result<Bytes> encrypt(Session& session, const Mechanism& mechanism, ObjectHandle key,
                      ByteView plaintext);

/// Decrypts into `out` and answers the length used. `out` must be as long as the ciphertext, since
/// modules refuse the true length: CKR_BUFFER_TOO_SMALL before any call otherwise. After a failure
/// `out` is wiped. A bad tag is an error with many names: see Error::ambiguous().
Result<std::size_t> decrypt_into(Session& session, const Mechanism& mechanism, ObjectHandle key,
                                 ByteView ciphertext, std::span<std::uint8_t> out);
Result<SecretBytes> decrypt(Session& session, const Mechanism& mechanism, ObjectHandle key,
                            ByteView ciphertext);

/// A signature or a MAC.
Result<Bytes> sign(Session& session, const Mechanism& mechanism, ObjectHandle key, ByteView data);

enum class Verdict : std::uint8_t { kValid, kInvalid };
/// kInvalid where the token says that the signature is wrong in value or length. To a wrong length
/// some (NSS) answer CKR_DATA_LEN_RANGE instead, which can as well mean the data and so stays an
/// error: check the length of a signature first.
Result<Verdict> verify(Session& session, const Mechanism& mechanism, ObjectHandle key,
                       ByteView data, ByteView signature);

Result<Bytes> digest(Session& session, const Mechanism& mechanism, ByteView data);

/// Fills `out` from the token's generator.
Result<void> random(Session& session, std::span<std::uint8_t> out);

}  // namespace keyhold::pkcs11

// OpenSSL's side of a key that a token has too: EVP alone, and none of the code that is tested.
#pragma once

#include "base/algorithm.h"
#include "base/bytes.h"
#include "base/key_spec.h"
#include "token/openssl.h"

namespace keyhold::vectors {

/// From PKCS#8; null if it is none.
token::openssl::Key private_key_of(ByteView pkcs8);
/// From its scalar, as long as it likes. Null if that is none.
token::openssl::Key curve_key_of(KeySpec spec, ByteView scalar);
/// Uncompressed.
Bytes point_of(EVP_PKEY* key);

// These throw where OpenSSL does not do it. Signatures of curves are in DER.
Bytes openssl_signs(EVP_PKEY* key, const AlgorithmRow& algorithm, ByteView message);
bool openssl_verifies(EVP_PKEY* key, const AlgorithmRow& algorithm, ByteView message,
                      ByteView signature);
Bytes openssl_encrypts(EVP_PKEY* key, const AlgorithmRow& algorithm, ByteView message);
Bytes openssl_decrypts(EVP_PKEY* key, const AlgorithmRow& algorithm, ByteView ciphertext);
Bytes openssl_agrees(EVP_PKEY* own, EVP_PKEY* peer);
Bytes openssl_mac(ByteView key, const AlgorithmRow& algorithm, ByteView message);

}  // namespace keyhold::vectors

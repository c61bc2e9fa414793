// What is in the SubjectPublicKeyInfo of an ML-DSA key, for which OpenSSL 3.0 is too old.
#pragma once

#include "base/bytes.h"

namespace keyhold::vectors {

/// The encoded key (FIPS 204, algorithm 22), which nothing follows; whole or not.
inline ByteView encoded_ml_dsa_key(ByteView spki) {
  // SEQUENCE, of long form; SEQUENCE { OBJECT IDENTIFIER }; BIT STRING, likewise, and its unused
  // bits.
  constexpr std::size_t kHead = 4 + 13 + 4 + 1;
  return spki.subspan(kHead);
}

}  // namespace keyhold::vectors

// Key material as a caller wraps it for ImportKeyMaterial, by OpenSSL.
#pragma once

#include <stdexcept>

#include "base/random.h"
#include "base/secret.h"
#include "base/wrapping_algorithm.h"
#include "token/key_wrap.h"
#include "token/public_key.h"

namespace keyhold::test {

/// `spki`: of the wrapping key. Throws for what is too long.
inline Bytes wrap_material(ByteView spki, WrappingAlgorithm algorithm, ByteView material) {
  const token::PublicKey key(Bytes(spki.begin(), spki.end()));
  const WrappingAlgorithmRow& row = row_of(algorithm);
  if (row.envelope == Envelope::kMaterial) {
    return key.encrypt(row_of(row.padding), material).value();
  }
  Secret aes_key(std::size_t{32});
  SystemRandom random;
  random.fill({aes_key.data(), aes_key.size()});
  Bytes wrapped = key.encrypt(row_of(row.padding), aes_key.view()).value();
  append(wrapped, token::wrap_with_padding(aes_key.view(), material));
  return wrapped;
}

}  // namespace keyhold::test

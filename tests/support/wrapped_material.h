// Key material as a caller wraps it for ImportKeyMaterial, by OpenSSL.
#pragma once

#include <stdexcept>

#include "base/random.h"
#include "base/secret.h"
#include "base/wrapping_algorithm.h"
#include "token/key_wrap.h"
#include "token/openssl.h"
#include "token/public_key.h"

namespace keyhold::test {

/// RFC 5649 under an AES key of any length.
inline Bytes wrap_under(ByteView aes_key, ByteView material) {
  if (aes_key.size() == 32) return token::wrap_with_padding(aes_key, material);
  const token::openssl::CipherContext context(EVP_CIPHER_CTX_new());
  EVP_CIPHER_CTX_set_flags(context.get(), EVP_CIPHER_CTX_FLAG_WRAP_ALLOW);
  Bytes wrapped(material.size() + 16);
  int size = 0;
  const EVP_CIPHER* cipher = aes_key.size() == 16 ? EVP_aes_128_wrap_pad() : EVP_aes_192_wrap_pad();
  if (EVP_EncryptInit_ex(context.get(), cipher, nullptr, aes_key.data(), nullptr) != 1 ||
      EVP_EncryptUpdate(context.get(), wrapped.data(), &size, material.data(),
                        static_cast<int>(material.size())) != 1) {
    throw std::runtime_error("AES key wrap failed");
  }
  wrapped.resize(static_cast<std::size_t>(size));
  return wrapped;
}

/// `spki`: of the wrapping key. Throws for what is too long. `aes_size`: of the key in between,
/// where there is one.
inline Bytes wrap_material(ByteView spki, WrappingAlgorithm algorithm, ByteView material,
                           std::size_t aes_size = 32) {
  const token::PublicKey key(Bytes(spki.begin(), spki.end()));
  const WrappingAlgorithmRow& row = row_of(algorithm);
  if (row.envelope == Envelope::kMaterial) {
    return key.encrypt(row_of(row.padding), material).value();
  }
  Secret aes_key(aes_size);
  SystemRandom random;
  random.fill({aes_key.data(), aes_key.size()});
  Bytes wrapped = key.encrypt(row_of(row.padding), aes_key.view()).value();
  append(wrapped, wrap_under(aes_key.view(), material));
  return wrapped;
}

}  // namespace keyhold::test

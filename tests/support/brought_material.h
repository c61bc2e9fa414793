// Key material as a caller has it who imports it: made by OpenSSL.
#pragma once

#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <memory>

#include "base/key_spec.h"
#include "base/random.h"
#include "base/secret.h"
#include "token/openssl.h"
#include "token/public_key.h"
#include "token/token.h"

namespace keyhold::test {

/// Its bytes as they are wrapped (a secret's value, or PKCS#8), and the public half of a pair.
struct Brought {
  token::MaterialKind kind;
  Secret bytes;
  Bytes public_key;
};

inline Brought brought_secret(KeySpec spec, std::size_t size) {
  SystemRandom random;
  Brought brought{{spec, *row_of(spec).usages.begin()}, Secret(size), {}};
  random.fill({brought.bytes.data(), size});
  return brought;
}

inline Brought brought_secret(KeySpec spec) {
  return brought_secret(spec, static_cast<std::size_t>(row_of(spec).bits) / 8);
}

/// Takes the key.
inline Brought brought_pair(token::MaterialKind kind, EVP_PKEY* made) {
  namespace openssl = token::openssl;
  const openssl::Key key(made);
  Brought brought{kind, {}, {}};
  unsigned char* encoded = nullptr;
  const std::unique_ptr<PKCS8_PRIV_KEY_INFO, openssl::Freed<PKCS8_PRIV_KEY_INFO_free>> info(
      EVP_PKEY2PKCS8(key.get()));
  int size = i2d_PKCS8_PRIV_KEY_INFO(info.get(), &encoded);
  brought.bytes = Secret(ByteView(encoded, static_cast<std::size_t>(size)));
  OPENSSL_free(encoded);
  encoded = nullptr;
  size = i2d_PUBKEY(key.get(), &encoded);
  brought.public_key.assign(encoded, encoded + size);
  OPENSSL_free(encoded);
  return brought;
}

/// A new key of a kind that can be imported.
inline Brought bring_new(token::MaterialKind kind) {
  const KeySpecRow& row = row_of(kind.spec);
  if (row.form == KeyForm::kRsa) {
    return brought_pair(kind, EVP_RSA_gen(static_cast<unsigned>(row.bits)));
  }
  if (is_pair(kind.spec)) {
    return brought_pair(kind, EVP_EC_gen(token::PublicKey::curve_name(kind.spec)));
  }
  Brought brought = brought_secret(kind.spec);
  brought.kind = kind;
  return brought;
}

}  // namespace keyhold::test

#include "openssl_keys.h"

#include <openssl/hmac.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <stdexcept>

#include "token/key_kind.h"

namespace keyhold::vectors {
namespace {

namespace openssl = token::openssl;

void must(int done, const char* what) {
  if (done != 1) throw std::runtime_error(std::string("OpenSSL: ") + what);
}

const EVP_MD* hash_of(const AlgorithmRow& algorithm) {
  switch (algorithm.hash) {
    case Hash::kSha1:
      return EVP_sha1();
    case Hash::kSha224:
      return EVP_sha224();
    case Hash::kSha256:
      return EVP_sha256();
    case Hash::kSha384:
      return EVP_sha384();
    case Hash::kSha512:
      return EVP_sha512();
    case Hash::kNone:
    case Hash::kSm3:
      break;
  }
  throw std::runtime_error("no hash");
}

/// RFC 8017, as KMS has it: MGF1 over the same hash, a salt as long as the hash.
void set_padding(EVP_PKEY_CTX* context, const AlgorithmRow& algorithm) {
  if (algorithm.scheme == Scheme::kPss) {
    must(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING), "PSS");
    must(EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST), "salt");
  } else if (algorithm.scheme == Scheme::kPkcs1) {
    must(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING), "PKCS#1");
  } else if (algorithm.scheme == Scheme::kOaep) {
    must(EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING), "OAEP");
    must(EVP_PKEY_CTX_set_rsa_oaep_md(context, hash_of(algorithm)), "OAEP's hash");
    must(EVP_PKEY_CTX_set_rsa_mgf1_md(context, hash_of(algorithm)), "MGF1's hash");
  }
}

Bytes tlv(std::uint8_t tag, ByteView content) {
  Bytes der = {tag};
  if (content.size() > 127) der.push_back(0x81);
  der.push_back(static_cast<std::uint8_t>(content.size()));
  append(der, content);
  return der;
}

Bytes joined(std::initializer_list<Bytes> parts) {
  Bytes all;
  for (const Bytes& part : parts) append(all, part);
  return all;
}

}  // namespace

openssl::Key private_key_of(ByteView pkcs8) {
  const unsigned char* at = pkcs8.data();
  return openssl::Key(d2i_AutoPrivateKey(nullptr, &at, static_cast<long>(pkcs8.size())));
}

openssl::Key curve_key_of(KeySpec spec, ByteView scalar) {
  const std::size_t width = (static_cast<std::size_t>(row_of(spec).bits) + 7) / 8;
  Bytes value(scalar.begin(), scalar.end());
  while (value.size() > width && value.front() == 0) value.erase(value.begin());
  if (value.size() < width) value.insert(value.begin(), width - value.size(), 0);
  // RFC 5958 around RFC 5915, without the public key, which OpenSSL works out.
  const ByteView curve = token::curve_parameters(spec);
  const Bytes id_ec_public_key = {0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};
  const Bytes version_0 = {0x02, 0x01, 0x00};
  const Bytes version_1 = {0x02, 0x01, 0x01};
  const Bytes algorithm = tlv(0x30, joined({id_ec_public_key, Bytes(curve.begin(), curve.end())}));
  const Bytes key = tlv(0x30, joined({version_1, tlv(0x04, value)}));
  return private_key_of(tlv(0x30, joined({version_0, algorithm, tlv(0x04, key)})));
}

Bytes point_of(EVP_PKEY* key) {
  unsigned char* point = nullptr;
  const std::size_t size = EVP_PKEY_get1_encoded_public_key(key, &point);
  Bytes bytes(point, point + size);
  OPENSSL_free(point);
  return bytes;
}

Bytes openssl_signs(EVP_PKEY* key, const AlgorithmRow& algorithm, ByteView message) {
  const openssl::DigestContext context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* parameters = nullptr;
  must(EVP_DigestSignInit(context.get(), &parameters, hash_of(algorithm), nullptr, key), "sign");
  set_padding(parameters, algorithm);
  std::size_t size = 0;
  must(EVP_DigestSign(context.get(), nullptr, &size, message.data(), message.size()), "sign");
  Bytes signature(size);
  must(EVP_DigestSign(context.get(), signature.data(), &size, message.data(), message.size()),
       "sign");
  signature.resize(size);
  return signature;
}

bool openssl_verifies(EVP_PKEY* key, const AlgorithmRow& algorithm, ByteView message,
                      ByteView signature) {
  const openssl::QuietErrors quiet;
  const openssl::DigestContext context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* parameters = nullptr;
  must(EVP_DigestVerifyInit(context.get(), &parameters, hash_of(algorithm), nullptr, key),
       "verify");
  set_padding(parameters, algorithm);
  return EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.data(),
                          message.size()) == 1;
}

Bytes openssl_encrypts(EVP_PKEY* key, const AlgorithmRow& algorithm, ByteView message) {
  const openssl::KeyContext context(EVP_PKEY_CTX_new(key, nullptr));
  must(EVP_PKEY_encrypt_init(context.get()), "encrypt");
  set_padding(context.get(), algorithm);
  Bytes ciphertext(static_cast<std::size_t>(EVP_PKEY_get_size(key)));
  std::size_t size = ciphertext.size();
  must(EVP_PKEY_encrypt(context.get(), ciphertext.data(), &size, message.data(), message.size()),
       "encrypt");
  return ciphertext;
}

Bytes openssl_decrypts(EVP_PKEY* key, const AlgorithmRow& algorithm, ByteView ciphertext) {
  const openssl::KeyContext context(EVP_PKEY_CTX_new(key, nullptr));
  must(EVP_PKEY_decrypt_init(context.get()), "decrypt");
  set_padding(context.get(), algorithm);
  Bytes plaintext(static_cast<std::size_t>(EVP_PKEY_get_size(key)));
  std::size_t size = plaintext.size();
  must(EVP_PKEY_decrypt(context.get(), plaintext.data(), &size, ciphertext.data(),
                        ciphertext.size()),
       "decrypt");
  plaintext.resize(size);
  return plaintext;
}

Bytes openssl_agrees(EVP_PKEY* own, EVP_PKEY* peer) {
  const openssl::KeyContext context(EVP_PKEY_CTX_new(own, nullptr));
  must(EVP_PKEY_derive_init(context.get()), "derive");
  must(EVP_PKEY_derive_set_peer(context.get(), peer), "derive");
  std::size_t size = 0;
  must(EVP_PKEY_derive(context.get(), nullptr, &size), "derive");
  Bytes shared(size);
  must(EVP_PKEY_derive(context.get(), shared.data(), &size), "derive");
  shared.resize(size);
  return shared;
}

Bytes openssl_mac(ByteView key, const AlgorithmRow& algorithm, ByteView message) {
  Bytes mac(EVP_MAX_MD_SIZE);
  unsigned size = 0;
  if (HMAC(hash_of(algorithm), key.data(), static_cast<int>(key.size()), message.data(),
           message.size(), mac.data(), &size) == nullptr) {
    throw std::runtime_error("OpenSSL: HMAC");
  }
  mac.resize(size);
  return mac;
}

}  // namespace keyhold::vectors

#include "token/probe_key.h"

#include <openssl/core_names.h>

#include "token/openssl.h"

namespace keyhold::token {

PublicKeyPtr set_probe_key(pkcs11::Attributes& attributes) {
  const unsigned char* encoded = kProbeKey.data();
  const openssl::Key key(
      d2i_PrivateKey(EVP_PKEY_RSA, nullptr, &encoded, static_cast<long>(kProbeKey.size())));
  struct Part {
    const char* name;
    CK_ATTRIBUTE_TYPE type;
  };
  static constexpr auto kParts = std::to_array<Part>({
      {OSSL_PKEY_PARAM_RSA_N, CKA_MODULUS},
      {OSSL_PKEY_PARAM_RSA_E, CKA_PUBLIC_EXPONENT},
      {OSSL_PKEY_PARAM_RSA_D, CKA_PRIVATE_EXPONENT},
      {OSSL_PKEY_PARAM_RSA_FACTOR1, CKA_PRIME_1},
      {OSSL_PKEY_PARAM_RSA_FACTOR2, CKA_PRIME_2},
      {OSSL_PKEY_PARAM_RSA_EXPONENT1, CKA_EXPONENT_1},
      {OSSL_PKEY_PARAM_RSA_EXPONENT2, CKA_EXPONENT_2},
      {OSSL_PKEY_PARAM_RSA_COEFFICIENT1, CKA_COEFFICIENT},
  });
  for (const auto& [name, type] : kParts) {
    BIGNUM* number = nullptr;
    EVP_PKEY_get_bn_param(key.get(), name, &number);
    const openssl::Number owned(number);
    Bytes bytes(static_cast<std::size_t>(BN_num_bytes(number)));
    BN_bn2bin(number, bytes.data());
    attributes.bytes(type, bytes);
  }
  return PublicKey::of_rsa(KeySpec::kRsa2048, *attributes.value(CKA_MODULUS),
                           *attributes.value(CKA_PUBLIC_EXPONENT));
}

}  // namespace keyhold::token

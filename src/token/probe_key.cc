#include "token/probe_key.h"

#include "token/openssl.h"
#include "token/rsa_parts.h"

namespace keyhold::token {

PublicKeyPtr set_probe_key(pkcs11::Attributes& attributes) {
  const unsigned char* encoded = kProbeKey.data();
  const openssl::Key key(
      d2i_PrivateKey(EVP_PKEY_RSA, nullptr, &encoded, static_cast<long>(kProbeKey.size())));
  for (const auto& [type, name] : kRsaParts) {
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

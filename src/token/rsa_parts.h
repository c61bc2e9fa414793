// The numbers of an RSA private key, by PKCS#11's names and by OpenSSL's.
#pragma once

#include <openssl/core_names.h>

#include <array>

#include "pkcs11/cryptoki.h"

namespace keyhold::token {

struct RsaPart {
  CK_ATTRIBUTE_TYPE type;
  const char* name;
};

inline constexpr auto kRsaParts = std::to_array<RsaPart>({
    {CKA_MODULUS, OSSL_PKEY_PARAM_RSA_N},
    {CKA_PUBLIC_EXPONENT, OSSL_PKEY_PARAM_RSA_E},
    {CKA_PRIVATE_EXPONENT, OSSL_PKEY_PARAM_RSA_D},
    {CKA_PRIME_1, OSSL_PKEY_PARAM_RSA_FACTOR1},
    {CKA_PRIME_2, OSSL_PKEY_PARAM_RSA_FACTOR2},
    {CKA_EXPONENT_1, OSSL_PKEY_PARAM_RSA_EXPONENT1},
    {CKA_EXPONENT_2, OSSL_PKEY_PARAM_RSA_EXPONENT2},
    {CKA_COEFFICIENT, OSSL_PKEY_PARAM_RSA_COEFFICIENT1},
});

}  // namespace keyhold::token

#include "token/probe_key.h"

#include <utility>

#include "token/native_key.h"
#include "token/openssl.h"
#include "token/rsa_parts.h"

namespace keyhold::token {
namespace {

/// Puts its numbers into a template of a private key; answers its public half.
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

}  // namespace

pkcs11::Result<ProbePair> put_probe_pair(TokenLink& link, const PairTemplates& templates) {
  pkcs11::Attributes known = templates.private_key;
  known.remove(CKA_MODIFIABLE);
  PublicKeyPtr known_public = set_probe_key(known);
  auto created = link.objects().create(known);
  if (created) return ProbePair{std::move(*created), std::move(known_public)};
  PKCS11_TRY_ASSIGN(
      auto pair, link.objects().generate_pair(pkcs11::Mechanism::plain(CKM_RSA_PKCS_KEY_PAIR_GEN),
                                              templates.public_key, templates.private_key));
  PKCS11_TRY_ASSIGN(auto public_key,
                    read_public_key(link, KeySpec::kRsa2048, pair.public_key.handle()));
  return ProbePair{std::move(pair.private_key), std::move(public_key), std::move(pair.public_key)};
}

}  // namespace keyhold::token

#include "token/key_kind.h"

#include <algorithm>
#include <array>

#include "pkcs11/curve.h"

namespace keyhold::token {
namespace {

constexpr auto kKinds = std::to_array<KeyKind>({
    {KeyForm::kAes, CKK_AES, CKM_AES_KEY_GEN, "CKM_AES_KEY_GEN"},
    {KeyForm::kRsa, CKK_RSA, CKM_RSA_PKCS_KEY_PAIR_GEN, "CKM_RSA_PKCS_KEY_PAIR_GEN"},
    {KeyForm::kEllipticCurve, CKK_EC, CKM_EC_KEY_PAIR_GEN, "CKM_EC_KEY_PAIR_GEN"},
    {KeyForm::kEdwards, CKK_EC_EDWARDS, CKM_EC_EDWARDS_KEY_PAIR_GEN, "CKM_EC_EDWARDS_KEY_PAIR_GEN"},
    {KeyForm::kHmac, CKK_GENERIC_SECRET, CKM_GENERIC_SECRET_KEY_GEN, "CKM_GENERIC_SECRET_KEY_GEN"},
    {KeyForm::kMlDsa, pkcs11::kKeyTypeMlDsa, pkcs11::kMlDsaKeyPairGen, "CKM_ML_DSA_KEY_PAIR_GEN"},
});

struct SchemeKind {
  Scheme scheme;
  CK_MECHANISM_TYPE mechanism;  ///< of HMAC it is the hash's
  CK_ATTRIBUTE_TYPE usage;
  std::string_view name;
};
constexpr auto kSchemes = std::to_array<SchemeKind>({
    {Scheme::kMessageKeys, CKM_AES_GCM, CKA_DERIVE, "CKM_AES_GCM"},
    {Scheme::kOaep, CKM_RSA_PKCS_OAEP, CKA_DECRYPT, "CKM_RSA_PKCS_OAEP"},
    {Scheme::kPss, CKM_RSA_PKCS_PSS, CKA_SIGN, "CKM_RSA_PKCS_PSS"},
    {Scheme::kPkcs1, CKM_RSA_PKCS, CKA_SIGN, "CKM_RSA_PKCS"},
    {Scheme::kEcdsa, CKM_ECDSA, CKA_SIGN, "CKM_ECDSA"},
    {Scheme::kEd25519, CKM_EDDSA, CKA_SIGN, "CKM_EDDSA"},
    {Scheme::kEd25519ph, CKM_EDDSA, CKA_SIGN, "CKM_EDDSA with phFlag (Ed25519ph)"},
    {Scheme::kHmac, CKM_SHA256_HMAC, CKA_SIGN, "HMAC"},
    {Scheme::kEcdh, CKM_ECDH1_DERIVE, CKA_DERIVE, "CKM_ECDH1_DERIVE"},
    {Scheme::kMlDsa, pkcs11::kMlDsa, CKA_SIGN, "CKM_ML_DSA"},
});

struct HashKind {
  Hash hash;
  CK_MECHANISM_TYPE digest;
  CK_MECHANISM_TYPE hmac;
  std::string_view name;
};
constexpr auto kHashes = std::to_array<HashKind>({
    {Hash::kSha1, CKM_SHA_1, CKM_SHA_1_HMAC, "SHA-1"},
    {Hash::kSha224, CKM_SHA224, CKM_SHA224_HMAC, "SHA-224"},
    {Hash::kSha256, CKM_SHA256, CKM_SHA256_HMAC, "SHA-256"},
    {Hash::kSha384, CKM_SHA384, CKM_SHA384_HMAC, "SHA-384"},
    {Hash::kSha512, CKM_SHA512, CKM_SHA512_HMAC, "SHA-512"},
});

const HashKind* find_hash(Hash hash) {
  const auto at = std::ranges::find(kHashes, hash, &HashKind::hash);
  return at == kHashes.end() ? nullptr : &*at;
}

pkcs11::Error unknown() { return pkcs11::Error(CKR_MECHANISM_INVALID, "mechanism_of"); }

}  // namespace

const KeyKind* find_kind(KeyForm form) {
  const auto at = std::ranges::find(kKinds, form, &KeyKind::form);
  return at == kKinds.end() ? nullptr : &*at;
}

CK_MECHANISM_TYPE generation_of(const Profile& profile, const KeyKind& kind) {
  return kind.form == KeyForm::kHmac && profile.hmac_generation != 0 ? profile.hmac_generation
                                                                     : kind.generation;
}

CK_KEY_TYPE hmac_key_type(const Profile& profile, KeySpec spec) {
  if (profile.hmac_key_type == HmacKeyType::kGenericSecret) return CKK_GENERIC_SECRET;
  switch (spec) {
    case KeySpec::kHmac224:
      return CKK_SHA224_HMAC;
    case KeySpec::kHmac384:
      return CKK_SHA384_HMAC;
    case KeySpec::kHmac512:
      return CKK_SHA512_HMAC;
    default:
      return CKK_SHA256_HMAC;
  }
}

ByteView curve_parameters(KeySpec spec) {
  switch (spec) {
    case KeySpec::kEccNistP256:
      return pkcs11::kCurveP256;
    case KeySpec::kEccNistP384:
      return pkcs11::kCurveP384;
    case KeySpec::kEccNistP521:
      return pkcs11::kCurveP521;
    case KeySpec::kEccSecgP256K1:
      return pkcs11::kCurveSecp256k1;
    case KeySpec::kEccNistEdwards25519:
      return pkcs11::kCurveEd25519;
    default:
      return {};
  }
}

CK_ULONG parameter_set(KeySpec spec) {
  switch (spec) {
    case KeySpec::kMlDsa44:
      return 1;
    case KeySpec::kMlDsa65:
      return 2;
    default:
      return 3;
  }
}

std::optional<AlgorithmKind> find_kind(const AlgorithmRow& algorithm) {
  const auto at = std::ranges::find(kSchemes, algorithm.scheme, &SchemeKind::scheme);
  if (at == kSchemes.end()) return std::nullopt;
  AlgorithmKind kind{at->mechanism, at->usage, std::string(at->name)};
  if (const HashKind* hash = find_hash(algorithm.hash)) {
    if (algorithm.scheme == Scheme::kHmac) kind.mechanism = hash->hmac;
    // Signatures are of digests that were computed outside; what their paddings need remains.
    kind.name.append(" with ").append(hash->name);
  }
  return kind;
}

pkcs11::Result<pkcs11::Mechanism> mechanism_of(const AlgorithmRow& algorithm) {
  const auto kind = find_kind(algorithm);
  if (!kind) return unknown();
  const HashKind* hash = find_hash(algorithm.hash);
  switch (algorithm.scheme) {
    case Scheme::kOaep:
      return pkcs11::Mechanism::oaep(hash->digest);
    case Scheme::kPss:
      return pkcs11::Mechanism::pss(kind->mechanism, hash->digest,
                                    static_cast<CK_ULONG>(hash_size(algorithm.hash)));
    case Scheme::kEd25519ph:
      return pkcs11::Mechanism::ed25519ph();
    case Scheme::kPkcs1:
    case Scheme::kEcdsa:
    case Scheme::kEd25519:
    case Scheme::kHmac:
    case Scheme::kMlDsa:
      return pkcs11::Mechanism::plain(kind->mechanism);
    default:
      return unknown();
  }
}

std::vector<CK_MECHANISM_TYPE> mechanisms_of(MaterialKind kind, Custody custody) {
  std::vector<CK_MECHANISM_TYPE> mechanisms;
  for (const Algorithm algorithm : algorithms_of(kind.spec, kind.usage)) {
    const auto known = find_kind(row_of(algorithm));
    if (known && std::ranges::count(mechanisms, known->mechanism) == 0) {
      mechanisms.push_back(known->mechanism);
    }
  }
  if (custody == Custody::kHostStaged) mechanisms.push_back(CKM_RSA_X_509);
  return mechanisms;
}

}  // namespace keyhold::token

// PKCS#11's side of the tables of key specs and algorithms: key types, mechanisms, curves.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/key_spec.h"
#include "pkcs11/mechanism.h"
#include "pkcs11/result.h"
#include "token/profile.h"
#include "token/token.h"

namespace keyhold::token {

inline constexpr CK_MECHANISM_TYPE kAesKeyWrapKwp = 0x210B;  // PKCS#11 3.0, newer than the header

/// How the keys of a form are made.
struct KeyKind {
  KeyForm form;
  CK_KEY_TYPE type;
  CK_MECHANISM_TYPE generation;
  std::string_view generation_name;  ///< for the sentence that says what a token lacks
};
/// Null for a form that PKCS#11 has no mechanisms for (SM2).
const KeyKind* find_kind(KeyForm form);

/// By which a token of that profile makes keys of a form.
CK_MECHANISM_TYPE generation_of(const Profile& profile, const KeyKind& kind);

/// What the sealing key of a custody key is.
inline constexpr MaterialKind kSealingKind{KeySpec::kHmac256, KeyUsage::kGenerateVerifyMac};

/// The CKA_KEY_TYPE of an HMAC key in a token of that profile.
CK_KEY_TYPE hmac_key_type(const Profile& profile, KeySpec spec);

/// CKA_EC_PARAMS of a spec's curve; empty for what is no curve.
ByteView curve_parameters(KeySpec spec);

/// CKA_PARAMETER_SET of an ML-DSA spec (PKCS#11 3.2, section 6.67.2).
CK_ULONG parameter_set(KeySpec spec);

/// How a token works by an algorithm.
struct AlgorithmKind {
  CK_MECHANISM_TYPE mechanism;
  CK_ATTRIBUTE_TYPE usage;  ///< of the private or secret key
  std::string name;         ///< `CKM_RSA_PKCS_OAEP with SHA-256`
};
/// Nothing for an algorithm that PKCS#11 has no mechanism for.
std::optional<AlgorithmKind> find_kind(const AlgorithmRow& algorithm);

/// The mechanism with its parameters.
pkcs11::Result<pkcs11::Mechanism> mechanism_of(const AlgorithmRow& algorithm);

/// The mechanisms that a key of that kind and custody is for: its CKA_ALLOWED_MECHANISMS. A
/// host-staged RSA key also does the bare operation whose padding is removed outside.
std::vector<CK_MECHANISM_TYPE> mechanisms_of(MaterialKind kind, Custody custody);

}  // namespace keyhold::token

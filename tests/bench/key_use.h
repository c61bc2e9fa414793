// What is done with asymmetric and HMAC keys, as a table: by the token alone and by Keyhold.
#pragma once

#include <array>
#include <string>

#include "base/algorithm.h"
#include "base/vocabulary.h"

namespace keyhold::bench {

struct KeyUse {
  const char* operation;
  KeySpec spec;
  KeyUsage usage;
  Algorithm algorithm;

  /// Of one word: `Sign:RSA_2048:RSASSA_PSS_SHA_256`.
  std::string name() const {
    return std::string(operation) + ":" + std::string(to_string(spec)) + ":" +
           std::string(to_string(algorithm));
  }
};

inline constexpr auto kKeyUses = std::to_array<KeyUse>({
    {"Sign", KeySpec::kRsa2048, KeyUsage::kSignVerify, Algorithm::kRsassaPssSha256},
    {"Sign", KeySpec::kRsa4096, KeyUsage::kSignVerify, Algorithm::kRsassaPssSha256},
    {"Sign", KeySpec::kEccNistP256, KeyUsage::kSignVerify, Algorithm::kEcdsaSha256},
    {"Sign", KeySpec::kEccNistEdwards25519, KeyUsage::kSignVerify, Algorithm::kEd25519Sha512},
    {"Verify", KeySpec::kRsa2048, KeyUsage::kSignVerify, Algorithm::kRsassaPssSha256},
    {"Verify", KeySpec::kRsa4096, KeyUsage::kSignVerify, Algorithm::kRsassaPssSha256},
    {"Verify", KeySpec::kEccNistP256, KeyUsage::kSignVerify, Algorithm::kEcdsaSha256},
    {"Verify", KeySpec::kEccNistEdwards25519, KeyUsage::kSignVerify, Algorithm::kEd25519Sha512},
    {"GenerateMac", KeySpec::kHmac256, KeyUsage::kGenerateVerifyMac, Algorithm::kHmacSha256},
    {"VerifyMac", KeySpec::kHmac256, KeyUsage::kGenerateVerifyMac, Algorithm::kHmacSha256},
    {"DeriveSharedSecret", KeySpec::kEccNistP256, KeyUsage::kKeyAgreement, Algorithm::kEcdh},
    {"Decrypt", KeySpec::kRsa2048, KeyUsage::kEncryptDecrypt, Algorithm::kRsaesOaepSha256},
});

/// What is signed, authenticated and encrypted: 32 bytes.
inline constexpr std::string_view kMessage = "abcdefghijklmnopqrstuvwxyz123456";

}  // namespace keyhold::bench

// The words that token, store, kms and api share, each with its one spelling. AWS's words are
// spelled as on the wire (API reference, KeyMetadata); the house's own as in the store.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace keyhold {

/// What differs between them is in the table of base/key_spec.h.
enum class KeySpec : std::uint8_t {
  kSymmetricDefault,
  kRsa2048,
  kRsa3072,
  kRsa4096,
  kEccNistP256,
  kEccNistP384,
  kEccNistP521,
  kEccSecgP256K1,
  kEccNistEdwards25519,
  kHmac224,
  kHmac256,
  kHmac384,
  kHmac512,
  kMlDsa44,
  kMlDsa65,
  kMlDsa87,
  kSm2,
};
enum class KeyUsage : std::uint8_t {
  kEncryptDecrypt,
  kSignVerify,
  kGenerateVerifyMac,
  kKeyAgreement,
};

/// Encryption, signing, MAC and key agreement algorithms; their table is in base/algorithm.h.
enum class Algorithm : std::uint8_t {
  kSymmetricDefault,
  kRsaesOaepSha1,
  kRsaesOaepSha256,
  kSm2Pke,
  kRsassaPssSha256,
  kRsassaPssSha384,
  kRsassaPssSha512,
  kRsassaPkcs1V15Sha256,
  kRsassaPkcs1V15Sha384,
  kRsassaPkcs1V15Sha512,
  kEcdsaSha256,
  kEcdsaSha384,
  kEcdsaSha512,
  kEd25519Sha512,
  kEd25519PhSha512,
  kMlDsaShake256,
  kSm2Dsa,
  kHmacSha224,
  kHmacSha256,
  kHmacSha384,
  kHmacSha512,
  kEcdh,
};

/// What the Message of Sign and Verify is: what is to be signed, its digest, or ML-DSA's
/// representative of it (FIPS 204, section 6.2).
enum class MessageType : std::uint8_t { kRaw, kDigest, kExternalMu };

enum class KeyOrigin : std::uint8_t { kAwsKms, kExternal };

enum class KeyState : std::uint8_t { kEnabled, kDisabled, kPendingDeletion, kPendingImport };

/// How key material that is imported comes (GetParametersForImport, "WrappingAlgorithm"); their
/// table is in base/wrapping_algorithm.h.
enum class WrappingAlgorithm : std::uint8_t {
  kRsaesOaepSha1,
  kRsaesOaepSha256,
  kRsaAesKeyWrapSha1,
  kRsaAesKeyWrapSha256,
};

/// What a grant can allow (CreateGrant, "Operations").
enum class GrantOperation : std::uint8_t {
  kDecrypt,
  kEncrypt,
  kGenerateDataKey,
  kGenerateDataKeyWithoutPlaintext,
  kReEncryptFrom,
  kReEncryptTo,
  kSign,
  kVerify,
  kGetPublicKey,
  kCreateGrant,
  kRetireGrant,
  kDescribeKey,
  kGenerateDataKeyPair,
  kGenerateDataKeyPairWithoutPlaintext,
  kGenerateMac,
  kVerifyMac,
  kDeriveSharedSecret,
};

enum class RotationType : std::uint8_t { kAutomatic, kOnDemand };

/// How a key material is held; fixed when it is made.
enum class Custody : std::uint8_t {
  kResident,  ///< born in the token, never extractable
  /// Born in the token, and outside of it only wrapped under a key that never leaves it; unwrapped
  /// there to be used.
  kWrapped,
  /// A padding that the token does not know is removed outside of it: of what the key decrypts, or
  /// of the key itself when it was imported.
  kHostStaged,
  kImported,  ///< brought from outside and unwrapped inside the token, never extractable in it
};

/// How messages are encrypted under a key material; the number is the suite byte of its
/// ciphertexts (docs/ciphertext-format.md).
enum class Construction : std::uint8_t {
  kNative = 0,      ///< not in ciphertexts of ours: it signs, authenticates, agrees or decrypts RSA
  kEcbDerived = 1,  ///< message keys by CKM_AES_ECB_ENCRYPT_DATA
  kDirect = 3,      ///< under the material itself, for tokens that cannot derive
};

// Each word's spelling, and the word of a spelling (nothing for one that is not in the table).
std::string_view to_string(KeySpec value);
std::string_view to_string(KeyUsage value);
std::string_view to_string(Algorithm value);
std::string_view to_string(MessageType value);
std::string_view to_string(KeyOrigin value);
std::string_view to_string(KeyState value);
std::string_view to_string(WrappingAlgorithm value);
std::string_view to_string(GrantOperation value);
std::string_view to_string(RotationType value);
std::string_view to_string(Custody value);
std::string_view to_string(Construction value);

template <typename Word>
std::optional<Word> parse_word(std::string_view text);

}  // namespace keyhold

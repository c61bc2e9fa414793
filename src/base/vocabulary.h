// The words that token, store, kms and api share, each with its one spelling. AWS's words are
// spelled as on the wire (API reference, KeyMetadata); the house's own as in the store.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace keyhold {

enum class KeySpec : std::uint8_t { kSymmetricDefault };
enum class KeyUsage : std::uint8_t { kEncryptDecrypt };
enum class KeyOrigin : std::uint8_t { kAwsKms };

enum class KeyState : std::uint8_t { kEnabled, kDisabled, kPendingDeletion };

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
};

/// How messages are encrypted under a key material; the number is the suite byte of its
/// ciphertexts (docs/ciphertext-format.md).
enum class Construction : std::uint8_t {
  kEcbDerived = 1,  ///< message keys by CKM_AES_ECB_ENCRYPT_DATA
  kDirect = 3,      ///< under the material itself, for tokens that cannot derive
};

// Each word's spelling, and the word of a spelling (nothing for one that is not in the table).
std::string_view to_string(KeySpec value);
std::string_view to_string(KeyUsage value);
std::string_view to_string(KeyOrigin value);
std::string_view to_string(KeyState value);
std::string_view to_string(GrantOperation value);
std::string_view to_string(RotationType value);
std::string_view to_string(Custody value);
std::string_view to_string(Construction value);

template <typename Word>
std::optional<Word> parse_word(std::string_view text);

}  // namespace keyhold

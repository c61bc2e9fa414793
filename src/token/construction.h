// How message keys, check values and header tags are made from a key material: the arithmetic of
// docs/ciphertext-format.md, without a token. What a token computes from these is pinned by
// known-answer tests.
//
// ECB form (CKM_AES_ECB_ENCRYPT_DATA, PKCS#11 2.40 "Key derivation by data encryption"): a derived
// key is AES(material, input15 ‖ a) ‖ AES(material, input15 ‖ b), where the last bytes a, b name
// the purpose. The input is a message key's salt, and 15 zero bytes for the two keys each material
// has once.
//
// Direct form: the material itself encrypts; there is no salt and no header tag, and the check
// value is an encryption of zeros: IV ‖ ciphertext ‖ tag.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/bytes.h"

namespace keyhold::token {

inline constexpr std::size_t kEcbSaltSize = 15;
inline constexpr std::size_t kCmacSize = 16;
inline constexpr std::size_t kDerivedKeySize = 32;

using EcbSalt = std::array<std::uint8_t, kEcbSaltSize>;

/// The purposes of derived keys; the number is the last byte of the first block, the one after it
/// that of the second.
enum class Purpose : std::uint8_t {
  kMessage = 0x01,  ///< AES-256-GCM under a salt
  kCheck = 0x03,    ///< CMAC, zero salt
  kHeader = 0x05,   ///< CMAC, zero salt
};

/// The salt of the keys that a material has once.
inline constexpr EcbSalt kZeroSalt{};

/// The two blocks that the material encrypts to become the derived key.
std::array<std::uint8_t, kDerivedKeySize> derivation_data(Purpose purpose, const EcbSalt& salt);

/// What the check key authenticates: the answer is a material's check value (ECB form), and the
/// AAD of the check value of the direct form.
inline constexpr std::string_view kCheckDomain = "keyhold check";

/// The AAD of the fingerprint of an imported material of the direct form: an encryption of the
/// check value's plaintext under an IV of zeros.
inline constexpr std::string_view kFingerprintDomain = "keyhold fingerprint";

/// What the header key authenticates: domain string, subject and salt, each behind its length as
/// 32 bits, big-endian, so that no two different inputs have one encoding.
inline constexpr std::string_view kHeaderDomain = "keyhold header";
Bytes header_message(ByteView subject, const EcbSalt& salt);

/// The plaintext of the direct form's check value.
inline constexpr std::array<std::uint8_t, 32> kDirectCheckPlaintext{};
/// IV, ciphertext and tag.

}  // namespace keyhold::token

// CKA_EC_PARAMS of the named curves: DER of their object identifiers.
#pragma once

#include <array>
#include <cstdint>

namespace keyhold::pkcs11 {

/// 1.2.840.10045.3.1.7
inline constexpr std::array<std::uint8_t, 10> kCurveP256 = {0x06, 0x08, 0x2a, 0x86, 0x48,
                                                            0xce, 0x3d, 0x03, 0x01, 0x07};
/// 1.3.132.0.34
inline constexpr std::array<std::uint8_t, 7> kCurveP384 = {0x06, 0x05, 0x2b, 0x81,
                                                           0x04, 0x00, 0x22};
/// 1.3.132.0.35
inline constexpr std::array<std::uint8_t, 7> kCurveP521 = {0x06, 0x05, 0x2b, 0x81,
                                                           0x04, 0x00, 0x23};
/// 1.3.132.0.10
inline constexpr std::array<std::uint8_t, 7> kCurveSecp256k1 = {0x06, 0x05, 0x2b, 0x81,
                                                                0x04, 0x00, 0x0a};
/// 1.3.101.112
inline constexpr std::array<std::uint8_t, 5> kCurveEd25519 = {0x06, 0x03, 0x2b, 0x65, 0x70};

}  // namespace keyhold::pkcs11

// Cryptoki 2.40 as p11-kit's header spells it, and what that header lacks.
#pragma once

#ifndef CRYPTOKI_COMPAT
#define CRYPTOKI_COMPAT 1
#endif
#include <p11-kit/pkcs11.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace keyhold::pkcs11 {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;
using SlotId = CK_SLOT_ID;

// PKCS#11 3.0, section 2.3.14, and 3.2, section 6.67: newer than the header.
struct EddsaParameters {
  CK_BBOOL prehashed;
  CK_ULONG context_len;
  CK_BYTE* context;
};
inline constexpr CK_MECHANISM_TYPE kMlDsaKeyPairGen = 0x1C;
inline constexpr CK_MECHANISM_TYPE kMlDsa = 0x1D;
inline constexpr CK_KEY_TYPE kKeyTypeMlDsa = 0x4A;
inline constexpr CK_ATTRIBUTE_TYPE kParameterSet = 0x61D;

/// Where a span's bytes are, in the form Cryptoki takes: never null, since modules answer
/// CKR_ARGUMENTS_BAD to a null pointer even beside the length 0. Cryptoki lacks const; modules do
/// not write to what is input.
inline CK_BYTE* input(ByteView bytes) {
  static CK_BYTE nothing = 0;
  return bytes.data() != nullptr ? const_cast<CK_BYTE*>(bytes.data()) : &nothing;
}

inline CK_ULONG length(ByteView bytes) { return static_cast<CK_ULONG>(bytes.size()); }

}  // namespace keyhold::pkcs11

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

/// Where a span's bytes are, in the form Cryptoki takes: never null, since modules answer
/// CKR_ARGUMENTS_BAD to a null pointer even beside the length 0. Cryptoki lacks const; modules do
/// not write to what is input.
inline CK_BYTE* input(ByteView bytes) {
  static CK_BYTE nothing = 0;
  return bytes.data() != nullptr ? const_cast<CK_BYTE*>(bytes.data()) : &nothing;
}

inline CK_ULONG length(ByteView bytes) { return static_cast<CK_ULONG>(bytes.size()); }

}  // namespace keyhold::pkcs11

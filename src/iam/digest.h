// SHA-256 and HMAC-SHA-256, without a fetch or an allocation a call.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>

#include "base/bytes.h"

namespace keyhold::iam {

inline constexpr std::size_t kSha256Size = 32;
using Sha256 = std::array<std::uint8_t, kSha256Size>;

Sha256 sha256(ByteView bytes);

/// RFC 2104 over SHA-256, of the parts one after the other; `mac` may be where `key` is. The
/// caller wipes `mac` if it is a key.
void hmac_sha256(ByteView key, std::initializer_list<ByteView> parts,
                 std::span<std::uint8_t, kSha256Size> mac);

}  // namespace keyhold::iam

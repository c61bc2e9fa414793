// AES key wrap with padding (RFC 5649), done outside of the token: for key material whose RSA
// padding had to be removed here. It goes back into the token wrapped, and is looked at before.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "base/bytes.h"

namespace keyhold::token {

/// `wrapping_key`: 32 bytes. `key`: any bytes but none.
Bytes wrap_with_padding(ByteView wrapping_key, ByteView key);

/// The other way, into `key`, which is as long as `wrapped`; answers the key's length. Nothing for
/// what was not wrapped under that key.
std::optional<std::size_t> unwrap_with_padding_into(ByteView wrapping_key, ByteView wrapped,
                                                    std::span<std::uint8_t> key);

}  // namespace keyhold::token

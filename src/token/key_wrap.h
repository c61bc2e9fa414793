// AES key wrap with padding (RFC 5649), done outside of the token: for key material whose RSA
// padding had to be removed here, and that goes back into the token wrapped.
#pragma once

#include "base/bytes.h"

namespace keyhold::token {

/// `wrapping_key`: 32 bytes. `key`: any bytes but none.
Bytes wrap_with_padding(ByteView wrapping_key, ByteView key);

}  // namespace keyhold::token

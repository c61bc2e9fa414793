// Private keys as they come from outside: PKCS#8 (RFC 5208, RFC 5958) in DER. Looked at where the
// service has the bytes in its memory anyway, and without a copy of any of them.
#pragma once

#include "base/bytes.h"
#include "base/key_spec.h"

namespace keyhold::token {

/// Whether the bytes are the encoding of a private key of that spec (RFC 8017, appendix A.1.2; RFC
/// 5915, section 3), and of nothing else: the shortest lengths, no byte behind any element, the
/// spec's own modulus length or named curve, and no number that is out of its bounds. Tokens go by
/// their libraries, which overlook much of it. Whether the numbers belong together is for a proof.
/// `spec`: RSA or a curve of points.
bool is_private_key_info(KeySpec spec, ByteView bytes);

}  // namespace keyhold::token

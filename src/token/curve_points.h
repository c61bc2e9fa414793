// Points of the curves of KMS keys: what it takes to learn the public key of a private one that
// only a token knows.
#pragma once

#include <array>
#include <optional>

#include "base/bytes.h"
#include "token/public_key.h"

namespace keyhold::token {

/// The base point, uncompressed: ECDH with it answers the x coordinate of the public key. `spec`:
/// of a curve of points.
Bytes base_point(KeySpec spec);

/// The order of the base point: what private scalars are below.
Bytes curve_order(KeySpec spec);

/// The two public keys that have that x coordinate; nothing if no point has it.
std::optional<std::array<PublicKeyPtr, 2>> public_keys_of_x(KeySpec spec, ByteView x);

}  // namespace keyhold::token

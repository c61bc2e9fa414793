// The padding of RSAES-OAEP, removed outside of the token: for tokens that know the bare RSA
// operation and not OAEP with the hash that is wanted.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

#include "base/algorithm.h"
#include "base/bytes.h"
#include "base/secret.h"

namespace keyhold::token {

/// RFC 8017, section 7.1.2, step 3, in a time that does not depend on the block or on what is wrong
/// with it. `block`: as long as the modulus. Nothing for a block that no encryption made.
std::optional<Secret> remove_oaep_padding(const AlgorithmRow& algorithm, ByteView block);

/// The same into `message`, as long as the block, for what must lie in locked memory; answers the
/// message's length.
std::optional<std::size_t> remove_oaep_padding_into(const AlgorithmRow& algorithm, ByteView block,
                                                    std::span<std::uint8_t> message);

}  // namespace keyhold::token

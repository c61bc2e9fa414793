// Standard base64 with padding (RFC 4648 section 4), the form of every blob on the wire.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/secret.h"

namespace keyhold {

std::string to_base64(ByteView bytes);

/// The bytes of strictly encoded text: complete padding, no white space, no foreign characters, no
/// stray bits in the last character. Nothing otherwise.
std::optional<Bytes> from_base64(std::string_view text);

/// The same into a buffer that is wiped, for plaintexts.
std::optional<Secret> secret_from_base64(std::string_view text);

}  // namespace keyhold

// RFC 4648 section 5, as JSON Web Tokens and Keys have it.
#pragma once

#include <optional>
#include <string_view>

#include "base/bytes.h"

namespace keyhold::sts {

/// Without padding; nothing for a text that is none.
std::optional<Bytes> from_base64url(std::string_view text);

}  // namespace keyhold::sts

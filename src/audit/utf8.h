// Text of a client's making, fit for a JSON string.
#pragma once

#include <string>
#include <string_view>

namespace keyhold::audit {

bool is_utf8(std::string_view text);

/// The text if it is UTF-8; otherwise with `?` for each of its bytes that are not ASCII.
std::string valid_utf8(std::string_view text);

}  // namespace keyhold::audit

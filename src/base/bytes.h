// Byte strings, and their hexadecimal form.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace keyhold {

using Bytes = std::vector<std::uint8_t>;
using ByteView = std::span<const std::uint8_t>;

/// The characters of `text` as bytes; the view lives as long as `text` does.
inline ByteView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// The bytes as characters; the view lives as long as `bytes` do.
inline std::string_view as_text(ByteView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline void append(Bytes& to, ByteView more) { to.insert(to.end(), more.begin(), more.end()); }

/// Lower-case hexadecimal.
std::string to_hex(ByteView bytes);

/// The bytes of lower-case hexadecimal text; nothing if the text is anything else.
std::optional<Bytes> from_hex(std::string_view text);

/// Whether two byte strings are equal, in a time that depends on their lengths alone.
bool equal_in_constant_time(ByteView a, ByteView b);

}  // namespace keyhold

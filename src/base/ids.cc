#include "base/ids.h"

#include <algorithm>
#include <cctype>

namespace keyhold {

std::optional<ObjectName> ObjectName::from_bytes(ByteView bytes) {
  if (bytes.size() != kSize) return std::nullopt;
  ObjectName name;
  std::ranges::copy(bytes, name.bytes_.begin());
  return name;
}

std::optional<ObjectName> ObjectName::from_hex(std::string_view text) {
  const auto bytes = keyhold::from_hex(text);
  return bytes ? from_bytes(*bytes) : std::nullopt;
}

std::string draw_uuid(Random& random) {
  std::array<std::uint8_t, 16> bytes;
  random.fill(bytes);
  bytes[6] = static_cast<std::uint8_t>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<std::uint8_t>((bytes[8] & 0x3f) | 0x80);
  std::string text = to_hex(bytes);
  for (const std::size_t at : {8U, 13U, 18U, 23U}) text.insert(at, 1, '-');
  return text;
}

bool is_uuid(std::string_view text) {
  if (text.size() != 36) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : std::isxdigit(static_cast<unsigned char>(text[i])) == 0)
      return false;
  }
  return true;
}

}  // namespace keyhold

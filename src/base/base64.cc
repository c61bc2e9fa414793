#include "base/base64.h"

#include <array>

namespace keyhold {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<std::int8_t, 256> make_values() {
  std::array<std::int8_t, 256> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < kAlphabet.size(); ++i) {
    values[static_cast<std::uint8_t>(kAlphabet[i])] = static_cast<std::int8_t>(i);
  }
  return values;
}
constexpr auto kValues = make_values();

template <typename Buffer>
std::optional<Buffer> decode(std::string_view text) {
  if (text.size() % 4 != 0) return std::nullopt;
  std::size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;

  Buffer out(text.size() / 4 * 3 - padding);
  std::size_t at = 0;
  for (std::size_t i = 0; i < text.size(); i += 4) {
    const bool last = i + 4 == text.size();
    const std::size_t kept = last ? 4 - padding : 4;
    std::uint32_t group = 0;
    for (std::size_t j = 0; j < 4; ++j) {
      std::int8_t value = 0;
      if (j < kept) value = kValues[static_cast<std::uint8_t>(text[i + j])];
      if (value < 0) return std::nullopt;
      group = group << 6 | static_cast<std::uint32_t>(value);
    }
    if ((kept == 3 && (group & 0xff) != 0) || (kept == 2 && (group & 0xffff) != 0)) {
      return std::nullopt;  // two texts must not stand for the same bytes
    }
    for (std::size_t j = 0; j + 1 < kept; ++j) {
      out.data()[at++] = static_cast<std::uint8_t>(group >> (16 - 8 * j));
    }
  }
  return out;
}

}  // namespace

std::string to_base64(ByteView bytes) {
  std::string text((bytes.size() + 2) / 3 * 4, '=');
  char* out = text.data();
  for (std::size_t i = 0; i < bytes.size(); i += 3, out += 4) {
    const std::size_t left = bytes.size() - i;
    const std::uint32_t group = static_cast<std::uint32_t>(bytes[i]) << 16 |
                                (left > 1 ? static_cast<std::uint32_t>(bytes[i + 1]) << 8 : 0U) |
                                (left > 2 ? static_cast<std::uint32_t>(bytes[i + 2]) : 0U);
    out[0] = kAlphabet[group >> 18];
    out[1] = kAlphabet[group >> 12 & 63];
    if (left > 1) out[2] = kAlphabet[group >> 6 & 63];
    if (left > 2) out[3] = kAlphabet[group & 63];
  }
  return text;
}

std::optional<Bytes> from_base64(std::string_view text) { return decode<Bytes>(text); }

std::optional<Secret> secret_from_base64(std::string_view text) { return decode<Secret>(text); }

}  // namespace keyhold

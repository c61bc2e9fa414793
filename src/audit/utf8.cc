#include "audit/utf8.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace keyhold::audit {
namespace {

/// The length of the well-formed sequence at the start of `text` (Unicode 15, table 3-7); 0 if
/// there is none.
std::size_t sequence_length(std::string_view text) {
  const auto byte = [&](std::size_t i) {
    return i < text.size() ? static_cast<std::uint8_t>(text[i]) : std::uint8_t{0};
  };
  const auto continues = [&](std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) {
      if ((byte(i) & 0xc0) != 0x80) return false;
    }
    return true;
  };
  const std::uint8_t first = byte(0);
  const std::uint8_t second = byte(1);
  if (first < 0x80) return 1;
  if (first >= 0xc2 && first <= 0xdf) return continues(1, 2) ? 2 : 0;
  if (first >= 0xe0 && first <= 0xef) {
    const bool overlong = first == 0xe0 && second < 0xa0;
    const bool surrogate = first == 0xed && second > 0x9f;
    return continues(1, 3) && !overlong && !surrogate ? 3 : 0;
  }
  if (first >= 0xf0 && first <= 0xf4) {
    const bool overlong = first == 0xf0 && second < 0x90;
    const bool beyond = first == 0xf4 && second > 0x8f;
    return continues(1, 4) && !overlong && !beyond ? 4 : 0;
  }
  return 0;
}

}  // namespace

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    // Most texts are ASCII from end to end, and most others nearly so.
    const auto ascii = static_cast<std::size_t>(
        std::find_if(text.begin(), text.end(),
                     [](char c) { return static_cast<std::uint8_t>(c) >= 0x80; }) -
        text.begin());
    text.remove_prefix(ascii);
    if (text.empty()) break;
    const std::size_t length = sequence_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

std::string valid_utf8(std::string_view text) {
  std::string valid(text);
  if (is_utf8(text)) return valid;
  for (char& c : valid) {
    if (static_cast<std::uint8_t>(c) >= 0x80) c = '?';
  }
  return valid;
}

}  // namespace keyhold::audit

// The blank-padded texts of Cryptoki's info structures.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace keyhold::pkcs11 {

/// The text without its padding. Blanks are the standard's; zero bytes are what some tokens write.
template <std::size_t kSize>
std::string unpadded(const unsigned char (&field)[kSize]) {
  std::string text(reinterpret_cast<const char*>(field), kSize);
  const std::size_t last = text.find_last_not_of(std::string_view(" \0", 2));
  text.resize(last == std::string::npos ? 0 : last + 1);
  return text;
}

}  // namespace keyhold::pkcs11

#include "sts/base64url.h"

#include <string>

#include "base/base64.h"

namespace keyhold::sts {

std::optional<Bytes> from_base64url(std::string_view text) {
  std::string plain(text);
  for (char& c : plain) {
    if (c == '+' || c == '/' || c == '=') return std::nullopt;
    if (c == '-') c = '+';
    if (c == '_') c = '/';
  }
  plain.append((4 - plain.size() % 4) % 4, '=');
  return from_base64(plain);
}

}  // namespace keyhold::sts

#include "http/message.h"

#include <algorithm>

namespace keyhold::http {
namespace {

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

int default_status(ProtocolError error) {
  switch (error) {
    case ProtocolError::kMalformed:
      return 400;
    case ProtocolError::kHeadersTooLarge:
      return 431;
    case ProtocolError::kBodyTooLarge:
      return 413;
    case ProtocolError::kExpectationFailed:
      return 417;
    case ProtocolError::kInternal:
      return 500;
  }
  return 500;
}

bool same_name(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return lower(x) == lower(y); });
}

}  // namespace keyhold::http

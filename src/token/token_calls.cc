#include "token/token_calls.h"

#include <array>
#include <charconv>
#include <string_view>

#include "pkcs11/call_counts.h"
#include "pkcs11/error.h"

namespace keyhold::token {
namespace {

std::string name_of(CK_RV rv) {
  const std::string_view name = pkcs11::rv_name(rv);
  if (name.starts_with("CKR_") && name != "CKR_VENDOR_DEFINED") return std::string(name);
  std::array<char, 20> digits{};
  const auto [end, error] = std::to_chars(digits.begin(), digits.end(), rv, 16);
  return "0x" + std::string(digits.begin(), end);
}

}  // namespace

std::vector<TokenCalls> token_calls() {
  std::vector<TokenCalls> calls;
  for (const auto& call : pkcs11::read_call_counts()) {
    calls.push_back({call.function, name_of(call.rv), call.count});
  }
  return calls;
}

}  // namespace keyhold::token

// How often the functions of tokens' modules answered what, for metrics.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace keyhold::token {

struct TokenCalls {
  std::string function;  ///< `C_Encrypt`
  std::string answer;    ///< `CKR_OK`; a number for a vendor's own
  std::uint64_t count;
};

/// Since the process began, of all modules, by function and answer.
std::vector<TokenCalls> token_calls();

}  // namespace keyhold::token

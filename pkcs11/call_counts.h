// How often each Cryptoki function answered what: for whoever watches a token.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pkcs11/cryptoki.h"

namespace keyhold::pkcs11 {

/// Counts an answer, in memory of the calling thread's own. `function` lives for ever.
void count_call(const char* function, CK_RV rv) noexcept;

struct CallCount {
  std::string function;  ///< as the specification spells it
  CK_RV rv;
  std::uint64_t count;
};

/// All answers of all modules since the process began, by function and answer.
std::vector<CallCount> read_call_counts();

}  // namespace keyhold::pkcs11

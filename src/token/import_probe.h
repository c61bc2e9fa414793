// How a token unwraps key material from outside, as it is seen to do.
#pragma once

#include "base/random.h"
#include "base/result.h"
#include "token/capability.h"
#include "token/token_link.h"

namespace keyhold::token {

/// Tries each way with a throwaway wrapping key and key material of a known value. An error is one
/// of a token that is gone.
Result<ImportCapability> probe_imports(TokenLink& link, Random& random);

}  // namespace keyhold::token

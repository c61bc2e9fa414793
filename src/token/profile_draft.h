// A profile written by looking at a token.
#pragma once

#include <string>

#include "token/token_check.h"

namespace keyhold::token {

/// TOML that parse_profile reads, each line with its reason. `profile`: how the token was reached.
std::string draft_profile(const Profile& profile, const TokenCheck& check);

}  // namespace keyhold::token

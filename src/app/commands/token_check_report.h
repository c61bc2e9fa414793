// What `keyhold token check` says of a token, for people and for scripts.
#pragma once

#include <string>

#include "token/token_check.h"

namespace keyhold::app {

/// The tables in print, and last whether the token is admitted; without the profile.
void print_check(const token::TokenCheck& check);

/// The same as a JSON object, the profile in it.
std::string check_as_json(const token::TokenCheck& check);

}  // namespace keyhold::app

// The trial behind KnownAnswer.
#pragma once

#include <vector>

#include "token/known_answers.h"
#include "token/token_link.h"

namespace keyhold::token {

/// All vectors there are, each on a session key that is gone afterwards.
std::vector<KnownAnswer> try_known_answers(TokenLink& link);

}  // namespace keyhold::token

// What a token's profile has to say, found out by trying.
#pragma once

#include "base/random.h"
#include "base/result.h"
#include "token/token_check.h"
#include "token/token_link.h"

namespace keyhold::token {

/// On session keys that are gone afterwards. An error for a token that is lost meanwhile.
Result<MeasuredProfile> measure(TokenLink& link, Random& random);

}  // namespace keyhold::token

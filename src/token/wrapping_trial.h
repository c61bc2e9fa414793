// Whether a token can keep key materials wrapped: what wrapped custody asks of it, tried out.
#pragma once

#include <vector>

#include "base/random.h"
#include "token/admission.h"
#include "token/token_link.h"

namespace keyhold::token {

/// Each act on session keys that are gone afterwards. Custody does not rest on these: a token that
/// refuses them all serves resident materials.
std::vector<AdmissionAct> try_wrapping(TokenLink& link, Random& random);

}  // namespace keyhold::token

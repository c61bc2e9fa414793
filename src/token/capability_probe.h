// The probe behind Capabilities.
#pragma once

#include "base/random.h"
#include "base/result.h"
#include "token/capability.h"
#include "token/token_link.h"

namespace keyhold::token {

/// Tries every algorithm of every spec on session keys that are gone afterwards. An error for a
/// token that is lost meanwhile; what it merely cannot do is a row.
Result<Capabilities> probe_capabilities(TokenLink& link, Random& random,
                                        ProbedSizes sizes = ProbedSizes::kOne);

}  // namespace keyhold::token

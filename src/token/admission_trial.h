// The trial behind an AdmissionReport.
#pragma once

#include "base/random.h"
#include "base/result.h"
#include "token/admission.h"
#include "token/token_link.h"

namespace keyhold::token {

/// Tries everything on session keys that are gone afterwards. An error, naming the act, for a token
/// that lacks something needed or lets a key be taken out.
Result<AdmissionReport> try_admission(TokenLink& link, Random& random);

}  // namespace keyhold::token

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

/// The same to its end, whatever comes of it: for who wants to know a token, and not to use it.
/// What is needed and was not done is kRefused.
struct ObservedAdmission {
  AdmissionReport report;
  std::string refusal;  ///< why the token is not admitted; empty: it is
};
ObservedAdmission observe_admission(TokenLink& link, Random& random);

}  // namespace keyhold::token

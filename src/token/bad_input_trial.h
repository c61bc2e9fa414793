// How a token refuses what callers may send it and what nobody encrypted or wrapped.
#pragma once

#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "token/admission.h"
#include "token/profile.h"
#include "token/token_link.h"

namespace keyhold::token {

struct BadInputAnswers {
  /// Whether each kind of it is refused, and by which codes.
  std::vector<AdmissionAct> acts;
  std::vector<ReturnCode> decrypt_codes;  ///< of C_Decrypt
  std::vector<ReturnCode> unwrap_codes;   ///< of C_UnwrapKey, but for those that say so everywhere
};

/// RSA blocks and wrapped keys, whole ones first: what a token does not do shows nothing. On
/// session keys that are gone afterwards. An error for a token that is lost meanwhile.
Result<BadInputAnswers> try_bad_input(TokenLink& link, Random& random);

}  // namespace keyhold::token

// Published test vectors, computed by a token under keys of known value: what a round trip cannot
// show, since a token that is wrong both ways agrees with itself.
#pragma once

#include <string>
#include <string_view>

#include "token/admission.h"

namespace keyhold::token {

struct KnownAnswer {
  std::string name;    ///< "CKM_AES_GCM"
  std::string source;  ///< where the vector is published
  /// kNotShown where the token takes no key of a known value, or has no such mechanism.
  Outcome outcome = Outcome::kNotShown;
  std::string detail;  ///< what the token said
};

}  // namespace keyhold::token

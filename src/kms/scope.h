// Where a call takes place.
#pragma once

#include <string>

namespace keyhold::kms {

/// The account of the caller and the region that the call was addressed to.
struct Scope {
  std::string account;
  std::string region;
};

}  // namespace keyhold::kms

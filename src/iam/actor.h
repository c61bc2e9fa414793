// Who acts in a request, with everything from their own side that policies look at.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "iam/evaluation.h"
#include "iam/identity.h"
#include "iam/principal.h"

namespace keyhold::iam {

struct Actor {
  Principal principal;
  /// The user, or the role whose session it is; null for root and for an identity that nothing
  /// defines, which no identity policy allows anything.
  std::shared_ptr<const Identity> identity = nullptr;
  std::vector<PolicyPtr> session_policies = {};
  std::optional<TimePoint> issued_at = {};  ///< of temporary credentials

  /// The documents that bear on a request of this actor. The actor must outlive the set.
  PolicySet policies(const PolicyDocument* resource) const {
    PolicySet set;
    set.resource = resource;
    set.session = session_policies;
    if (identity) {
      set.identity = identity->effective_policies;
      set.boundary = identity->boundary.get();
    }
    return set;
  }
};

}  // namespace keyhold::iam

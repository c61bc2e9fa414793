// By what a token wraps which kinds of keys, as it was seen to do.
#pragma once

#include <map>

#include "base/random.h"
#include "token/capability.h"
#include "token/token_link.h"

namespace keyhold::token {

struct WrappingCapability {
  /// The CK_MECHANISM_TYPE by which it wraps; 0: none.
  MechanismType mechanism = 0;
  /// Of each kind of secret keys, by spec: whether what is wrapped comes back as the same key.
  std::map<KeySpec, Capability> kinds{};

  /// kUnsupportedOperation with a sentence, for a kind that is not among those.
  Result<void> check(MaterialKind kind) const;
};

/// Wraps and unwraps throwaway session keys of every kind that `capabilities` has. The profile's
/// mechanism, or the one by which most kinds come back. An error for a token that is lost
/// meanwhile.
Result<WrappingCapability> probe_wrapping(TokenLink& link, const Capabilities& capabilities,
                                          Random& random);

}  // namespace keyhold::token

// What a key's state allows (developer guide, "Key states of AWS KMS keys"), as a table.
#pragma once

#include <cstdint>

#include "base/result.h"
#include "kms/key.h"

namespace keyhold::kms {

/// A row of AWS's table: operations whose cells are alike share one.
enum class StateRule : std::uint8_t {
  kAnyState,            ///< reading, listing
  kEnabled,             ///< cryptographic use
  kNotPendingDeletion,  ///< management
  kPendingDeletion,     ///< CancelKeyDeletion
  kHasMaterial,         ///< EnableKey, DisableKey, GetPublicKey
  kRotated,             ///< EnableKeyRotation, DisableKeyRotation
  kRotationShown,       ///< GetKeyRotationStatus
  kRotatedOnDemand,     ///< which looks at what was imported by itself
};

/// kDisabled or kKmsInvalidState with AWS's text, if the rule's cell for the key's state is an
/// error.
Result<void> check_state(StateRule rule, const Key& key);

/// kUnsupportedOperation with AWS's text for a key of another origin.
Result<void> check_origin(KeyOrigin origin, const Key& key);

}  // namespace keyhold::kms

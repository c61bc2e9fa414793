// The rotations of a key, page by page.
#pragma once

#include "kms/key.h"
#include "kms/page.h"

namespace keyhold::kms {

/// Entries of ListKeyRotations: completed rotations, oldest first; `all_material` adds the first
/// material. Errors as check_rotates().
enum class RotationListing : std::uint8_t { kRotationsOnly, kAllKeyMaterial };
Result<Page<KeyMaterialPtr>> list_rotations(const Key& key, RotationListing listing,
                                            const PageRequest& page);

}  // namespace keyhold::kms

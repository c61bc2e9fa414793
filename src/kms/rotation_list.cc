#include "kms/rotation_list.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "kms/paging.h"
#include "kms/rotation.h"

namespace keyhold::kms {

Result<Page<KeyMaterialPtr>> list_rotations(const Key& key, RotationListing listing,
                                            const PageRequest& request) {
  constexpr std::string_view kListName = "rotations";
  TRY(check_rotates(key));
  TRY_ASSIGN(const std::string after, read_marker(kListName, request.marker));
  auto at = key.materials().begin();
  if (!after.empty()) {
    at = std::ranges::find(key.materials(), after,
                           [](const auto& material) { return material->record.material_id; });
    if (at == key.materials().end()) {
      return Error(ErrorCode::kInvalidMarker, "The marker is not valid for this list.");
    }
    ++at;
  }
  Page<KeyMaterialPtr> page;
  for (; at != key.materials().end(); ++at) {
    if (listing == RotationListing::kRotationsOnly && !(*at)->record.rotated_at) continue;
    if (page.elements.size() == request.limit) {
      page.next_marker = make_marker(kListName, page.elements.back()->record.material_id);
      break;
    }
    page.elements.push_back(*at);
  }
  return page;
}

}  // namespace keyhold::kms

//= https://docs.aws.amazon.com/kms/latest/APIReference/API_ListKeyRotations.html
#include "api/handler.h"
#include "api/members.h"
#include "api/operations/listing.h"

namespace keyhold::api {
namespace {

constexpr std::int64_t kPage = 100;
constexpr std::int64_t kLargestPage = 1000;

struct Request {
  std::string key_id;
  std::optional<std::string> include_key_material;
  std::optional<std::int64_t> limit;
  std::optional<std::string> marker;

  static constexpr auto shape() {
    return members(required("KeyId", &Request::key_id, kKeyId.in_audit()),
                   optional("IncludeKeyMaterial", &Request::include_key_material,
                            kIncludeKeyMaterial.in_audit()),
                   optional("Limit", &Request::limit, kLimit.in_audit()),
                   optional("Marker", &Request::marker, kMarker.in_audit()));
  }
};

struct Rotation {
  std::string key_id;
  std::string key_material_id;
  std::string key_material_state;
  std::optional<TimePoint> rotation_date;
  std::optional<std::string> rotation_type;

  static constexpr auto shape() {
    return members(optional("KeyId", &Rotation::key_id, kKeyId),
                   optional("KeyMaterialId", &Rotation::key_material_id, kMaterialId),
                   optional("KeyMaterialState", &Rotation::key_material_state, kKeyMaterialState),
                   optional("RotationDate", &Rotation::rotation_date),
                   optional("RotationType", &Rotation::rotation_type, kRotationType));
  }
};

struct Response {
  std::optional<std::string> next_marker;
  std::vector<Rotation> rotations;
  bool truncated = false;

  static constexpr auto shape() {
    return members(optional("NextMarker", &Response::next_marker, kMarker),
                   optional("Rotations", &Response::rotations),
                   optional("Truncated", &Response::truncated));
  }
};

Rotation describe_rotation(const kms::Key& key, const kms::KeyMaterial& material) {
  const bool current = material.record.sequence == key.current_material().record.sequence;
  Rotation rotation{.key_id = key.id(),
                    .key_material_id = material.record.material_id,
                    .key_material_state = current ? "CURRENT" : "NON_CURRENT",
                    .rotation_date = material.record.rotated_at,
                    .rotation_type = std::nullopt};
  if (material.record.rotation_type) {
    rotation.rotation_type = to_string(*material.record.rotation_type);
  }
  return rotation;
}

Result<Response> list_key_rotations(Context& context, const Request& in) {
  const kms::Key& key = context.key();
  const auto listing = in.include_key_material == "ALL_KEY_MATERIAL"
                           ? kms::RotationListing::kAllKeyMaterial
                           : kms::RotationListing::kRotationsOnly;
  TRY_ASSIGN(auto page, kms::list_rotations(
                            key, listing, page_request(in.limit, in.marker, kPage, kLargestPage)));
  Response out;
  for (const auto& material : page.elements) {
    out.rotations.push_back(describe_rotation(key, *material));
  }
  out.truncated = page.next_marker.has_value();
  out.next_marker = std::move(page.next_marker);
  return out;
}

}  // namespace

constinit const Operation rows::kListKeyRotations = {
    .name = "ListKeyRotations",
    .keys = {{.member = "KeyId",
              .lookup = kms::KeyLookup::kIdOrArn,
              .action = "kms:ListKeyRotations",
              .state = kms::StateRule::kAnyState}},
    .errors = {ErrorCode::kNotFound, ErrorCode::kInvalidArn, ErrorCode::kInvalidMarker,
               ErrorCode::kKmsInternal, ErrorCode::kKmsInvalidState,
               ErrorCode::kUnsupportedOperation},
    .handler = handled_by<list_key_rotations>,
};

}  // namespace keyhold::api

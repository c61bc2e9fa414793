//= https://docs.aws.amazon.com/kms/latest/APIReference/API_ListKeyRotations.html
#include "api/handler.h"
#include "api/key_metadata.h"
#include "api/members.h"
#include "api/operations/listing.h"
#include "kms/rotation_list.h"

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
  std::optional<std::string> expiration_model;
  std::optional<std::string> import_state;
  std::string key_id;
  std::optional<std::string> key_material_description;
  std::string key_material_id;
  std::string key_material_state;
  std::optional<TimePoint> rotation_date;
  std::optional<std::string> rotation_type;
  std::optional<TimePoint> valid_to;

  static constexpr auto shape() {
    return members(optional("ExpirationModel", &Rotation::expiration_model, kExpirationModel),
                   optional("ImportState", &Rotation::import_state, kImportState),
                   optional("KeyId", &Rotation::key_id, kKeyId),
                   optional("KeyMaterialDescription", &Rotation::key_material_description,
                            kMaterialDescription),
                   optional("KeyMaterialId", &Rotation::key_material_id, kMaterialId),
                   optional("KeyMaterialState", &Rotation::key_material_state, kKeyMaterialState),
                   optional("RotationDate", &Rotation::rotation_date),
                   optional("RotationType", &Rotation::rotation_type, kRotationType),
                   optional("ValidTo", &Rotation::valid_to));
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

std::string material_state(const kms::Key& key, const kms::KeyMaterial& material) {
  if (&material == key.find_current_material()) return "CURRENT";
  return &material == key.pending_material() ? "PENDING_ROTATION" : "NON_CURRENT";
}

Rotation describe_rotation(const kms::Key& key, const kms::KeyMaterial& material) {
  Rotation rotation;
  rotation.key_id = key.id();
  rotation.key_material_id = material.record.material_id;
  rotation.key_material_state = material_state(key, material);
  rotation.rotation_date = material.record.rotated_at;
  if (material.record.rotation_type) {
    rotation.rotation_type = to_string(*material.record.rotation_type);
  }
  if (key.record().origin != KeyOrigin::kExternal) return rotation;
  rotation.import_state = is_imported(material) ? "IMPORTED" : "PENDING_IMPORT";
  rotation.expiration_model = expiration_model(material);
  if (rotation.expiration_model) rotation.valid_to = material.record.valid_to;
  if (!material.record.description.empty()) {
    rotation.key_material_description = material.record.description;
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

//= https://docs.aws.amazon.com/kms/latest/APIReference/API_DeleteImportedKeyMaterial.html
#include "api/handler.h"
#include "api/members.h"

namespace keyhold::api {
namespace {

struct Request {
  std::string key_id;
  std::optional<std::string> key_material_id;

  static constexpr auto shape() {
    return members(required("KeyId", &Request::key_id, kKeyId.in_audit()),
                   optional("KeyMaterialId", &Request::key_material_id, kMaterialId.in_audit()));
  }
};

struct Response {
  std::string key_id;
  std::optional<std::string> key_material_id;

  static constexpr auto shape() {
    return members(
        optional("KeyId", &Response::key_id, kKeyId.in_audit()),
        optional("KeyMaterialId", &Response::key_material_id, kAnsweredMaterialId.in_audit()));
  }
};

Result<Response> delete_imported_key_material(Context& context, const Request& in) {
  TRY_ASSIGN(auto material_id,
             context.service().delete_imported_material(context.key(), in.key_material_id));
  return Response{context.key().arn(), std::move(material_id)};
}

}  // namespace

constinit const Operation rows::kDeleteImportedKeyMaterial = {
    .name = "DeleteImportedKeyMaterial",
    .keys = {{.member = "KeyId",
              .lookup = kms::KeyLookup::kIdOrArn,
              .action = "kms:DeleteImportedKeyMaterial",
              .origin = KeyOrigin::kExternal,
              .state = kms::StateRule::kAnyState}},
    .effect = Effect::kWrite,
    .weight = Weight::kHeavy,
    .errors = {ErrorCode::kInvalidArn, ErrorCode::kUnsupportedOperation,
               ErrorCode::kDependencyTimeout, ErrorCode::kNotFound, ErrorCode::kKmsInternal,
               ErrorCode::kKmsInvalidState},
    .handler = handled_by<delete_imported_key_material>,
};

}  // namespace keyhold::api

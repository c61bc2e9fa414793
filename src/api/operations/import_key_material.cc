//= https://docs.aws.amazon.com/kms/latest/APIReference/API_ImportKeyMaterial.html
#include "api/handler.h"
#include "api/members.h"

namespace keyhold::api {
namespace {

constexpr std::string_view kExpires = "KEY_MATERIAL_EXPIRES";

struct Request {
  std::string key_id;
  Bytes import_token;
  Bytes encrypted_key_material;
  std::optional<TimePoint> valid_to;
  std::optional<std::string> expiration_model;
  std::optional<std::string> import_type;
  std::optional<std::string> key_material_description;
  std::optional<std::string> key_material_id;

  static constexpr auto shape() {
    return members(
        required("KeyId", &Request::key_id, kKeyId.in_audit()),
        required("ImportToken", &Request::import_token, kImportToken),
        required("EncryptedKeyMaterial", &Request::encrypted_key_material, kCiphertext),
        optional("ValidTo", &Request::valid_to, Rule{}.in_audit()),
        optional("ExpirationModel", &Request::expiration_model, kExpirationModel.in_audit()),
        optional("ImportType", &Request::import_type, kImportType.in_audit()),
        optional("KeyMaterialDescription", &Request::key_material_description,
                 kMaterialDescription.in_audit()),
        optional("KeyMaterialId", &Request::key_material_id, kMaterialId.in_audit()));
  }

  Result<void> complete() {
    if (!expiration_model) expiration_model = std::string(kExpires);
    return {};
  }

  Result<void> check_with_keys(const Context&) const {
    if (*expiration_model == kExpires && !valid_to) {
      return Error(ErrorCode::kValidation,
                   "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES");
    }
    if (*expiration_model != kExpires && valid_to) {
      return Error(ErrorCode::kValidation,
                   "A validTo date must not be set if the ExpirationModel is "
                   "KEY_MATERIAL_DOES_NOT_EXPIRE");
    }
    return {};
  }
};

struct Response {
  std::string key_id;
  std::string key_material_id;

  static constexpr auto shape() {
    return members(optional("KeyId", &Response::key_id, kKeyId.in_audit()),
                   optional("KeyMaterialId", &Response::key_material_id, kMaterialId.in_audit()));
  }
};

kms::ImportRequest import_request(const Request& in) {
  kms::ImportRequest request{.import_token = in.import_token,
                             .encrypted_key_material = in.encrypted_key_material,
                             .valid_to = in.valid_to,
                             .description = in.key_material_description,
                             .material_id = in.key_material_id};
  if (in.import_type) {
    request.type =
        *in.import_type == "NEW_KEY_MATERIAL" ? kms::ImportType::kNew : kms::ImportType::kExisting;
  }
  return request;
}

Result<Response> import_key_material(Context& context, const Request& in) {
  TRY_ASSIGN(std::string material_id,
             context.service().import_material(context.key(), import_request(in)));
  const auto key = context.service().find_key_by_id(context.scope(), context.key().id());
  const auto* material = key ? key->find_material(from_hex(material_id).value()) : nullptr;
  if (material != nullptr) context.note_custody(to_string(material->record.custody));
  return Response{context.key().arn(), std::move(material_id)};
}

}  // namespace

constinit const Operation rows::kImportKeyMaterial = {
    .name = "ImportKeyMaterial",
    .keys = {{.member = "KeyId",
              .lookup = kms::KeyLookup::kIdOrArn,
              .action = "kms:ImportKeyMaterial",
              .origin = KeyOrigin::kExternal,
              .state = kms::StateRule::kNotPendingDeletion}},
    .effect = Effect::kWrite,
    .weight = Weight::kHeavy,
    .errors = {ErrorCode::kInvalidArn, ErrorCode::kUnsupportedOperation,
               ErrorCode::kDependencyTimeout, ErrorCode::kNotFound, ErrorCode::kKmsInternal,
               ErrorCode::kKmsInvalidState, ErrorCode::kInvalidCiphertext,
               ErrorCode::kIncorrectKeyMaterial, ErrorCode::kExpiredImportToken,
               ErrorCode::kInvalidImportToken},
    .handler = handled_by<import_key_material>,
};

}  // namespace keyhold::api

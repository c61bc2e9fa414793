//= https://docs.aws.amazon.com/kms/latest/APIReference/API_GetPublicKey.html
#include "api/handler.h"
#include "api/key_metadata.h"
#include "api/members.h"

namespace keyhold::api {
namespace {

struct Request {
  std::string key_id;
  std::vector<std::string> grant_tokens;

  static constexpr auto shape() {
    return members(required("KeyId", &Request::key_id, kKeyId.in_audit()),
                   optional("GrantTokens", &Request::grant_tokens, kGrantTokens));
  }
};

struct Response {
  std::string customer_master_key_spec;
  AlgorithmList encryption_algorithms;
  AlgorithmList key_agreement_algorithms;
  std::string key_id;
  std::string key_spec;
  std::string key_usage;
  Bytes public_key;
  AlgorithmList signing_algorithms;

  static constexpr auto shape() {
    return members(
        optional("CustomerMasterKeySpec", &Response::customer_master_key_spec,
                 kCustomerMasterKeySpec),
        optional("EncryptionAlgorithms", &Response::encryption_algorithms, kEncryptionAlgorithms),
        optional("KeyAgreementAlgorithms", &Response::key_agreement_algorithms,
                 kKeyAgreementAlgorithms),
        optional("KeyId", &Response::key_id, kKeyId),
        optional("KeySpec", &Response::key_spec, kKeySpec),
        optional("KeyUsage", &Response::key_usage, kKeyUsage),
        optional("PublicKey", &Response::public_key, kPublicKey),
        optional("SigningAlgorithms", &Response::signing_algorithms, kSigningAlgorithms));
  }
};

Result<Response> get_public_key(Context& context, const Request&) {
  const kms::Key& key = context.key();
  const auto* material = key.find_current_material();
  const Bytes public_key = material == nullptr ? Bytes() : material->record.public_key;
  // AWS sends no message with this one.
  if (public_key.empty()) return Error(ErrorCode::kUnsupportedOperation);
  const std::string spec(to_string(key.record().spec));
  KeyAlgorithms algorithms = key_algorithms(context.service(), key);
  return Response{.customer_master_key_spec = spec,
                  .encryption_algorithms = std::move(algorithms.encryption),
                  .key_agreement_algorithms = std::move(algorithms.key_agreement),
                  .key_id = key.arn(),
                  .key_spec = spec,
                  .key_usage = std::string(to_string(key.record().usage)),
                  .public_key = public_key,
                  .signing_algorithms = std::move(algorithms.signing)};
}

}  // namespace

constinit const Operation rows::kGetPublicKey = {
    .name = "GetPublicKey",
    .keys = {{.member = "KeyId",
              .lookup = kms::KeyLookup::kIdArnOrAlias,
              .action = "kms:GetPublicKey",
              .grant_operation = "GetPublicKey",
              .state = kms::StateRule::kHasMaterial}},
    .errors = {ErrorCode::kNotFound, ErrorCode::kDisabled, ErrorCode::kKeyUnavailable,
               ErrorCode::kDependencyTimeout, ErrorCode::kUnsupportedOperation,
               ErrorCode::kInvalidArn, ErrorCode::kInvalidGrantToken, ErrorCode::kInvalidKeyUsage,
               ErrorCode::kKmsInternal, ErrorCode::kKmsInvalidState},
    .handler = handled_by<get_public_key>,
};

}  // namespace keyhold::api

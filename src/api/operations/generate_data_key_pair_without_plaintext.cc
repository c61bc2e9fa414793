//= https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateDataKeyPairWithoutPlaintext.html
#include "api/handler.h"
#include "api/members.h"
#include "api/operations/data_key_pair.h"

namespace keyhold::api {
namespace {

struct Request {
  kms::EncryptionContext encryption_context;
  std::string key_id;
  std::string key_pair_spec;
  std::vector<std::string> grant_tokens;
  std::optional<bool> dry_run;

  static constexpr auto shape() {
    return members(optional("EncryptionContext", &Request::encryption_context, Rule{}.in_audit()),
                   required("KeyId", &Request::key_id, kKeyId.in_audit()),
                   required("KeyPairSpec", &Request::key_pair_spec, kKeyPairSpec.in_audit()),
                   optional("GrantTokens", &Request::grant_tokens, kGrantTokens),
                   optional("DryRun", &Request::dry_run, Rule{}.in_audit()));
  }

  Result<void> check_with_keys(const Context& context) const {
    return check_key_pair_spec(context, key_pair_spec);
  }
};

struct Response {
  std::string key_id;
  std::string key_material_id;
  std::string key_pair_spec;
  Bytes private_key_ciphertext_blob;
  Bytes public_key;

  static constexpr auto shape() {
    return members(
        optional("KeyId", &Response::key_id, kKeyId),
        optional("KeyMaterialId", &Response::key_material_id, kMaterialId),
        optional("KeyPairSpec", &Response::key_pair_spec, kKeyPairSpec),
        optional("PrivateKeyCiphertextBlob", &Response::private_key_ciphertext_blob, kCiphertext),
        optional("PublicKey", &Response::public_key, kPublicKey));
  }
};

Result<Response> generate_data_key_pair_without_plaintext(Context& context, const Request& in) {
  TRY_ASSIGN(kms::EncryptedDataKeyPair made,
             make_data_key_pair(context, in.key_pair_spec, in.encryption_context));
  return Response{.key_id = context.key().arn(),
                  .key_material_id = std::move(made.private_key.material_id),
                  .key_pair_spec = in.key_pair_spec,
                  .private_key_ciphertext_blob = std::move(made.private_key.blob),
                  .public_key = std::move(made.pair.public_key)};
}

}  // namespace

constinit const Operation rows::kGenerateDataKeyPairWithoutPlaintext = {
    .name = "GenerateDataKeyPairWithoutPlaintext",
    .keys = {{.member = "KeyId",
              .lookup = kms::KeyLookup::kIdArnOrAlias,
              .action = "kms:GenerateDataKeyPairWithoutPlaintext",
              .grant_operation = "GenerateDataKeyPairWithoutPlaintext",
              .usage = KeyUsage::kEncryptDecrypt,
              .state = kms::StateRule::kEnabled,
              .specs = Specs::kSymmetric}},
    .dry_run = DryRun::kBeforeHandler,
    .weight = Weight::kHeavy,
    .errors = {ErrorCode::kNotFound, ErrorCode::kDisabled, ErrorCode::kKeyUnavailable,
               ErrorCode::kDependencyTimeout, ErrorCode::kInvalidKeyUsage,
               ErrorCode::kInvalidGrantToken, ErrorCode::kKmsInternal, ErrorCode::kKmsInvalidState,
               ErrorCode::kUnsupportedOperation, ErrorCode::kDryRunOperation},
    .handler = handled_by<generate_data_key_pair_without_plaintext>,
};

}  // namespace keyhold::api

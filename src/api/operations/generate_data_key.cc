//= https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateDataKey.html
#include "api/handler.h"
#include "api/members.h"
#include "api/operations/data_key.h"

namespace keyhold::api {
namespace {

struct Request {
  std::string key_id;
  kms::EncryptionContext encryption_context;
  std::optional<std::int64_t> number_of_bytes;
  std::optional<std::string> key_spec;
  std::vector<std::string> grant_tokens;
  std::optional<RecipientInfo> recipient;
  std::optional<bool> dry_run;

  static constexpr auto shape() {
    return members(required("KeyId", &Request::key_id, kKeyId.in_audit()),
                   optional("EncryptionContext", &Request::encryption_context, Rule{}.in_audit()),
                   optional("NumberOfBytes", &Request::number_of_bytes, kNumberOfBytes.in_audit()),
                   optional("KeySpec", &Request::key_spec, kDataKeySpec.in_audit()),
                   optional("GrantTokens", &Request::grant_tokens, kGrantTokens),
                   optional("Recipient", &Request::recipient, kRecipient),
                   optional("DryRun", &Request::dry_run, Rule{}.in_audit()));
  }

  Result<void> check_after_lookup() const { return check_data_key_size(key_spec, number_of_bytes); }
};

struct Response {
  Bytes ciphertext_blob;
  std::string key_id;
  std::string key_material_id;
  Secret plaintext;

  static constexpr auto shape() {
    return members(optional("CiphertextBlob", &Response::ciphertext_blob, kCiphertext),
                   optional("KeyId", &Response::key_id, kKeyId),
                   optional("KeyMaterialId", &Response::key_material_id, kMaterialId),
                   optional("Plaintext", &Response::plaintext, kPlaintext));
  }
};

Result<Response> generate_data_key(Context& context, const Request& in) {
  TRY_ASSIGN(DataKey made,
             make_data_key(context, in.key_spec, in.number_of_bytes, in.encryption_context));
  return Response{.ciphertext_blob = std::move(made.encrypted.blob),
                  .key_id = context.key().arn(),
                  .key_material_id = std::move(made.encrypted.material_id),
                  .plaintext = std::move(made.plaintext)};
}

}  // namespace

constinit const Operation rows::kGenerateDataKey = {
    .name = "GenerateDataKey",
    .keys = {{.member = "KeyId",
              .lookup = kms::KeyLookup::kIdArnOrAlias,
              .action = "kms:GenerateDataKey",
              .grant_operation = "GenerateDataKey",
              .usage = KeyUsage::kEncryptDecrypt,
              .state = kms::StateRule::kEnabled,
              .specs = Specs::kSymmetric}},
    .dry_run = DryRun::kBeforeHandler,
    .errors = {ErrorCode::kNotFound, ErrorCode::kDisabled, ErrorCode::kKeyUnavailable,
               ErrorCode::kDependencyTimeout, ErrorCode::kInvalidKeyUsage,
               ErrorCode::kInvalidGrantToken, ErrorCode::kKmsInternal, ErrorCode::kKmsInvalidState,
               ErrorCode::kDryRunOperation},
    .handler = handled_by<generate_data_key>,
};

}  // namespace keyhold::api

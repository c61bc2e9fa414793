//= https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html
#include "api/handler.h"
#include "api/members.h"

namespace keyhold::api {
namespace {

struct Request {
  std::string key_id;
  Secret plaintext;
  kms::EncryptionContext encryption_context;
  std::vector<std::string> grant_tokens;
  std::optional<std::string> encryption_algorithm;
  std::optional<bool> dry_run;

  static constexpr auto shape() {
    return members(required("KeyId", &Request::key_id, kKeyId.in_audit()),
                   required("Plaintext", &Request::plaintext, kPlaintext),
                   optional("EncryptionContext", &Request::encryption_context, Rule{}.in_audit()),
                   optional("GrantTokens", &Request::grant_tokens, kGrantTokens),
                   optional("EncryptionAlgorithm", &Request::encryption_algorithm,
                            kEncryptionAlgorithm.in_audit()),
                   optional("DryRun", &Request::dry_run, Rule{}.in_audit()));
  }

  Result<void> complete() {
    if (!encryption_algorithm) encryption_algorithm = kSymmetricDefault;
    return {};
  }
};

struct Response {
  Bytes ciphertext_blob;
  std::string encryption_algorithm;
  std::string key_id;

  static constexpr auto shape() {
    return members(
        optional("CiphertextBlob", &Response::ciphertext_blob, kCiphertext),
        optional("EncryptionAlgorithm", &Response::encryption_algorithm, kEncryptionAlgorithm),
        optional("KeyId", &Response::key_id, kKeyId));
  }
};

Result<Response> encrypt(Context& context, const Request& in) {
  const kms::Key& key = context.key();
  TRY_ASSIGN(kms::Encrypted encrypted,
             context.service().encrypt(key, in.plaintext.view(), in.encryption_context));
  context.note_material("keyMaterialId", encrypted.material_id);
  return Response{std::move(encrypted.blob), *in.encryption_algorithm, key.arn()};
}

}  // namespace

constinit const Operation rows::kEncrypt = {
    .name = "Encrypt",
    .keys = {{.member = "KeyId",
              .lookup = kms::KeyLookup::kIdArnOrAlias,
              .action = "kms:Encrypt",
              .grant_operation = "Encrypt",
              .usage = KeyUsage::kEncryptDecrypt,
              .state = kms::StateRule::kEnabled,
              .algorithm_member = "EncryptionAlgorithm"}},
    .dry_run = DryRun::kBeforeHandler,
    .errors = {ErrorCode::kNotFound, ErrorCode::kDisabled, ErrorCode::kKeyUnavailable,
               ErrorCode::kDependencyTimeout, ErrorCode::kInvalidKeyUsage,
               ErrorCode::kInvalidGrantToken, ErrorCode::kKmsInternal, ErrorCode::kKmsInvalidState,
               ErrorCode::kDryRunOperation},
    .handler = handled_by<encrypt>,
};

}  // namespace keyhold::api

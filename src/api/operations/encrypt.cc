//= https://docs.aws.amazon.com/kms/latest/APIReference/API_Encrypt.html
#include "api/handler.h"
#include "api/members.h"
#include "api/operations/encryption.h"

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

  Result<void> check_with_keys(const Context& context) const {
    TRY(check_context(*encryption_algorithm, encryption_context));
    return check_plaintext_size(context.key(), *encryption_algorithm, plaintext.size());
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
  TRY_ASSIGN(Ciphertext made, encrypt_by(context, key, *in.encryption_algorithm,
                                         in.plaintext.view(), in.encryption_context));
  if (made.material_id) context.note_material("keyMaterialId", *made.material_id);
  return Response{std::move(made.bytes), *in.encryption_algorithm, key.arn()};
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

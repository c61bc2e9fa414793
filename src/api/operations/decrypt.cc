//= https://docs.aws.amazon.com/kms/latest/APIReference/API_Decrypt.html
#include "api/handler.h"
#include "api/members.h"
#include "api/operations/ciphertext_request.h"
#include "api/operations/encryption.h"

namespace keyhold::api {
namespace {

struct Request {
  std::optional<Bytes> ciphertext_blob;
  kms::EncryptionContext encryption_context;
  std::vector<std::string> grant_tokens;
  std::optional<std::string> key_id;
  std::optional<std::string> encryption_algorithm;
  std::optional<RecipientInfo> recipient;
  std::optional<bool> dry_run;
  std::vector<std::string> dry_run_modifiers;

  static constexpr auto shape() {
    return members(optional("CiphertextBlob", &Request::ciphertext_blob, kCiphertext),
                   optional("EncryptionContext", &Request::encryption_context, Rule{}.in_audit()),
                   optional("GrantTokens", &Request::grant_tokens, kGrantTokens),
                   optional("KeyId", &Request::key_id, kKeyId.in_audit()),
                   optional("EncryptionAlgorithm", &Request::encryption_algorithm,
                            kEncryptionAlgorithm.in_audit()),
                   optional("Recipient", &Request::recipient, kRecipient),
                   optional("DryRun", &Request::dry_run, Rule{}.in_audit()),
                   optional("DryRunModifiers", &Request::dry_run_modifiers, kDryRunModifiers));
  }

  Result<void> complete() {
    if (!encryption_algorithm) encryption_algorithm = kSymmetricDefault;
    return check_ciphertext_request({ciphertext_blob, key_id, "KeyId", dry_run, dry_run_modifiers});
  }

  Result<void> check_with_keys(const Context&) const {
    return check_context(*encryption_algorithm, encryption_context);
  }
};

struct Response {
  std::string encryption_algorithm;
  std::string key_id;
  std::optional<std::string> key_material_id;  ///< of symmetric keys
  Secret plaintext;

  static constexpr auto shape() {
    return members(
        optional("EncryptionAlgorithm", &Response::encryption_algorithm, kEncryptionAlgorithm),
        optional("KeyId", &Response::key_id, kKeyId),
        optional("KeyMaterialId", &Response::key_material_id, kMaterialId),
        optional("Plaintext", &Response::plaintext, kPlaintext));
  }
};

Result<Response> decrypt(Context& context, const Request& in) {
  const kms::Key& key = context.key();
  TRY_ASSIGN(Plaintext opened, decrypt_by(context, key, *in.encryption_algorithm,
                                          *in.ciphertext_blob, in.encryption_context));
  if (opened.material_id) context.note_material("keyMaterialId", *opened.material_id);
  return Response{*in.encryption_algorithm, key.arn(), std::move(opened.material_id),
                  std::move(opened.bytes)};
}

}  // namespace

constinit const Operation rows::kDecrypt = {
    .name = "Decrypt",
    .keys = {{.member = "KeyId",
              .lookup = kms::KeyLookup::kIdArnOrAlias,
              .naming = Naming::kCiphertext,
              .action = "kms:Decrypt",
              .grant_operation = "Decrypt",
              .usage = KeyUsage::kEncryptDecrypt,
              .state = kms::StateRule::kEnabled,
              .algorithm_member = "EncryptionAlgorithm"}},
    .dry_run = DryRun::kAfterHandler,
    .errors = {ErrorCode::kNotFound, ErrorCode::kDisabled, ErrorCode::kInvalidCiphertext,
               ErrorCode::kKeyUnavailable, ErrorCode::kIncorrectKey, ErrorCode::kInvalidKeyUsage,
               ErrorCode::kDependencyTimeout, ErrorCode::kInvalidGrantToken,
               ErrorCode::kKmsInternal, ErrorCode::kKmsInvalidState, ErrorCode::kDryRunOperation},
    .handler = handled_by<decrypt>,
};

}  // namespace keyhold::api

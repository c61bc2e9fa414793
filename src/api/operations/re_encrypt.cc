//= https://docs.aws.amazon.com/kms/latest/APIReference/API_ReEncrypt.html
#include "api/handler.h"
#include "api/members.h"
#include "api/operations/ciphertext_request.h"
#include "api/operations/encryption.h"

namespace keyhold::api {
namespace {

struct Request {
  std::optional<Bytes> ciphertext_blob;
  kms::EncryptionContext source_encryption_context;
  std::optional<std::string> source_key_id;
  std::string destination_key_id;
  kms::EncryptionContext destination_encryption_context;
  std::optional<std::string> source_encryption_algorithm;
  std::optional<std::string> destination_encryption_algorithm;
  std::vector<std::string> grant_tokens;
  std::optional<bool> dry_run;
  std::vector<std::string> dry_run_modifiers;

  static constexpr auto shape() {
    return members(
        optional("CiphertextBlob", &Request::ciphertext_blob, kCiphertext),
        optional("SourceEncryptionContext", &Request::source_encryption_context, Rule{}.in_audit()),
        optional("SourceKeyId", &Request::source_key_id, kKeyId.in_audit()),
        required("DestinationKeyId", &Request::destination_key_id, kKeyId.in_audit()),
        optional("DestinationEncryptionContext", &Request::destination_encryption_context,
                 Rule{}.in_audit()),
        optional("SourceEncryptionAlgorithm", &Request::source_encryption_algorithm,
                 kEncryptionAlgorithm.in_audit()),
        optional("DestinationEncryptionAlgorithm", &Request::destination_encryption_algorithm,
                 kEncryptionAlgorithm.in_audit()),
        optional("GrantTokens", &Request::grant_tokens, kGrantTokens),
        optional("DryRun", &Request::dry_run, Rule{}.in_audit()),
        optional("DryRunModifiers", &Request::dry_run_modifiers, kDryRunModifiers));
  }

  Result<void> complete() {
    if (!source_encryption_algorithm) source_encryption_algorithm = kSymmetricDefault;
    if (!destination_encryption_algorithm) destination_encryption_algorithm = kSymmetricDefault;
    return check_ciphertext_request(
        {ciphertext_blob, source_key_id, "SourceKeyId", dry_run, dry_run_modifiers});
  }

  Result<void> check_with_keys(const Context&) const {
    TRY(check_context(*source_encryption_algorithm, source_encryption_context));
    return check_context(*destination_encryption_algorithm, destination_encryption_context);
  }
};

struct Response {
  Bytes ciphertext_blob;
  std::string destination_encryption_algorithm;
  std::optional<std::string> destination_key_material_id;  ///< of symmetric keys
  std::string key_id;
  std::string source_encryption_algorithm;
  std::string source_key_id;
  std::optional<std::string> source_key_material_id;

  static constexpr auto shape() {
    return members(
        optional("CiphertextBlob", &Response::ciphertext_blob, kCiphertext),
        optional("DestinationEncryptionAlgorithm", &Response::destination_encryption_algorithm,
                 kEncryptionAlgorithm),
        optional("DestinationKeyMaterialId", &Response::destination_key_material_id, kMaterialId),
        optional("KeyId", &Response::key_id, kKeyId),
        optional("SourceEncryptionAlgorithm", &Response::source_encryption_algorithm,
                 kEncryptionAlgorithm),
        optional("SourceKeyId", &Response::source_key_id, kKeyId),
        optional("SourceKeyMaterialId", &Response::source_key_material_id, kMaterialId));
  }
};

Result<Response> re_encrypt(Context& context, const Request& in) {
  const kms::Key& source = context.key(0);
  const kms::Key& destination = context.key(1);
  TRY_ASSIGN(Plaintext opened, decrypt_by(context, source, *in.source_encryption_algorithm,
                                          *in.ciphertext_blob, in.source_encryption_context));
  TRY(check_plaintext_size(destination, *in.destination_encryption_algorithm, opened.bytes.size()));
  TRY_ASSIGN(Ciphertext made, encrypt_by(context, destination, *in.destination_encryption_algorithm,
                                         opened.bytes.view(), in.destination_encryption_context));
  if (opened.material_id) context.note_material("sourceKeyMaterialId", *opened.material_id);
  if (made.material_id) context.note_material("destinationKeyMaterialId", *made.material_id);
  return Response{.ciphertext_blob = std::move(made.bytes),
                  .destination_encryption_algorithm = *in.destination_encryption_algorithm,
                  .destination_key_material_id = std::move(made.material_id),
                  .key_id = destination.arn(),
                  .source_encryption_algorithm = *in.source_encryption_algorithm,
                  .source_key_id = source.arn(),
                  .source_key_material_id = std::move(opened.material_id)};
}

}  // namespace

constinit const Operation rows::kReEncrypt = {
    .name = "ReEncrypt",
    .keys = {{.member = "SourceKeyId",
              .lookup = kms::KeyLookup::kIdArnOrAlias,
              .naming = Naming::kCiphertext,
              .action = "kms:ReEncryptFrom",
              .grant_operation = "ReEncryptFrom",
              .usage = KeyUsage::kEncryptDecrypt,
              .state = kms::StateRule::kEnabled,
              .algorithm_member = "SourceEncryptionAlgorithm"},
             {.member = "DestinationKeyId",
              .lookup = kms::KeyLookup::kIdArnOrAlias,
              .action = "kms:ReEncryptTo",
              .grant_operation = "ReEncryptTo",
              .usage = KeyUsage::kEncryptDecrypt,
              .state = kms::StateRule::kEnabled,
              .algorithm_member = "DestinationEncryptionAlgorithm"}},
    .dry_run = DryRun::kAfterHandler,
    .errors = {ErrorCode::kNotFound, ErrorCode::kDisabled, ErrorCode::kInvalidCiphertext,
               ErrorCode::kKeyUnavailable, ErrorCode::kIncorrectKey, ErrorCode::kDependencyTimeout,
               ErrorCode::kInvalidKeyUsage, ErrorCode::kInvalidGrantToken, ErrorCode::kKmsInternal,
               ErrorCode::kKmsInvalidState, ErrorCode::kDryRunOperation},
    .handler = handled_by<re_encrypt>,
};

}  // namespace keyhold::api

//= https://docs.aws.amazon.com/kms/latest/APIReference/API_DeriveSharedSecret.html
#include "api/handler.h"
#include "api/members.h"

namespace keyhold::api {
namespace {

struct Request {
  std::string key_id;
  std::string key_agreement_algorithm;
  Bytes public_key;
  std::vector<std::string> grant_tokens;
  std::optional<bool> dry_run;
  std::optional<RecipientInfo> recipient;

  static constexpr auto shape() {
    return members(required("KeyId", &Request::key_id, kKeyId.in_audit()),
                   required("KeyAgreementAlgorithm", &Request::key_agreement_algorithm,
                            kKeyAgreementAlgorithm.in_audit()),
                   required("PublicKey", &Request::public_key, kPublicKey),
                   optional("GrantTokens", &Request::grant_tokens, kGrantTokens),
                   optional("DryRun", &Request::dry_run, Rule{}.in_audit()),
                   optional("Recipient", &Request::recipient, kRecipient));
  }
};

struct Response {
  std::string key_agreement_algorithm;
  std::string key_id;
  std::string key_origin;
  Secret shared_secret;

  static constexpr auto shape() {
    return members(optional("KeyAgreementAlgorithm", &Response::key_agreement_algorithm,
                            kKeyAgreementAlgorithm),
                   optional("KeyId", &Response::key_id, kKeyId),
                   optional("KeyOrigin", &Response::key_origin, kOrigin),
                   optional("SharedSecret", &Response::shared_secret, kPlaintext));
  }
};

Result<Response> derive_shared_secret(Context& context, const Request& in) {
  const kms::Key& key = context.key();
  TRY_ASSIGN(Secret secret, context.service().derive_shared_secret(key, in.public_key));
  return Response{in.key_agreement_algorithm, key.arn(),
                  std::string(to_string(key.record().origin)), std::move(secret)};
}

}  // namespace

// A dry run does the work, since only that tells whether the peer's key is one of the curve.
constinit const Operation rows::kDeriveSharedSecret = {
    .name = "DeriveSharedSecret",
    .keys = {{.member = "KeyId",
              .lookup = kms::KeyLookup::kIdArnOrAlias,
              .action = "kms:DeriveSharedSecret",
              .grant_operation = "DeriveSharedSecret",
              .usage = KeyUsage::kKeyAgreement,
              .state = kms::StateRule::kEnabled,
              .algorithm_member = "KeyAgreementAlgorithm"}},
    .dry_run = DryRun::kAfterHandler,
    .errors = {ErrorCode::kNotFound, ErrorCode::kDisabled, ErrorCode::kKeyUnavailable,
               ErrorCode::kDependencyTimeout, ErrorCode::kInvalidGrantToken,
               ErrorCode::kInvalidKeyUsage, ErrorCode::kKmsInternal, ErrorCode::kKmsInvalidState,
               ErrorCode::kDryRunOperation},
    .handler = handled_by<derive_shared_secret>,
};

}  // namespace keyhold::api

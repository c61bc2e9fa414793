//= https://docs.aws.amazon.com/kms/latest/APIReference/API_Verify.html
#include "api/handler.h"
#include "api/members.h"
#include "api/operations/signing_request.h"

namespace keyhold::api {
namespace {

struct Request {
  std::string key_id;
  Secret message;
  std::optional<std::string> message_type;
  Bytes signature;
  std::string signing_algorithm;
  std::vector<std::string> grant_tokens;
  std::optional<bool> dry_run;

  static constexpr auto shape() {
    return members(
        required("KeyId", &Request::key_id, kKeyId.in_audit()),
        required("Message", &Request::message, kPlaintext),
        optional("MessageType", &Request::message_type, kMessageType.in_audit()),
        required("Signature", &Request::signature, kCiphertext),
        required("SigningAlgorithm", &Request::signing_algorithm, kSigningAlgorithm.in_audit()),
        optional("GrantTokens", &Request::grant_tokens, kGrantTokens),
        optional("DryRun", &Request::dry_run, Rule{}.in_audit()));
  }

  Result<void> complete() {
    if (!message_type) message_type = "RAW";
    return {};
  }

  Result<void> check_with_keys(const Context& context) const {
    return check_message(context.key(), signing_algorithm, *message_type, message.view());
  }
};

struct Response {
  std::string key_id;
  bool signature_valid = false;
  std::string signing_algorithm;

  static constexpr auto shape() {
    return members(optional("KeyId", &Response::key_id, kKeyId),
                   optional("SignatureValid", &Response::signature_valid),
                   optional("SigningAlgorithm", &Response::signing_algorithm, kSigningAlgorithm));
  }
};

Result<Response> verify(Context& context, const Request& in) {
  const kms::Key& key = context.key();
  TRY(context.service().verify(key, algorithm_of(in.signing_algorithm),
                               message_of(*in.message_type, in.message.view()), in.signature));
  return Response{key.arn(), true, in.signing_algorithm};
}

}  // namespace

constinit const Operation rows::kVerify = {
    .name = "Verify",
    .keys = {{.member = "KeyId",
              .lookup = kms::KeyLookup::kIdArnOrAlias,
              .action = "kms:Verify",
              .grant_operation = "Verify",
              .usage = KeyUsage::kSignVerify,
              .state = kms::StateRule::kEnabled,
              .algorithm_member = "SigningAlgorithm"}},
    .dry_run = DryRun::kBeforeHandler,
    .errors = {ErrorCode::kNotFound, ErrorCode::kDisabled, ErrorCode::kKeyUnavailable,
               ErrorCode::kDependencyTimeout, ErrorCode::kInvalidKeyUsage,
               ErrorCode::kInvalidGrantToken, ErrorCode::kKmsInternal, ErrorCode::kKmsInvalidState,
               ErrorCode::kKmsInvalidSignature, ErrorCode::kDryRunOperation},
    .handler = handled_by<verify>,
};

}  // namespace keyhold::api

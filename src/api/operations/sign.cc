//= https://docs.aws.amazon.com/kms/latest/APIReference/API_Sign.html
#include "api/handler.h"
#include "api/members.h"
#include "api/operations/signing_request.h"

namespace keyhold::api {
namespace {

struct Request {
  std::string key_id;
  Secret message;
  std::optional<std::string> message_type;
  std::vector<std::string> grant_tokens;
  std::string signing_algorithm;
  std::optional<bool> dry_run;

  static constexpr auto shape() {
    return members(
        required("KeyId", &Request::key_id, kKeyId.in_audit()),
        required("Message", &Request::message, kPlaintext),
        optional("MessageType", &Request::message_type, kMessageType.in_audit()),
        optional("GrantTokens", &Request::grant_tokens, kGrantTokens),
        required("SigningAlgorithm", &Request::signing_algorithm, kSigningAlgorithm.in_audit()),
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
  Bytes signature;
  std::string signing_algorithm;

  static constexpr auto shape() {
    return members(optional("KeyId", &Response::key_id, kKeyId),
                   optional("Signature", &Response::signature, kCiphertext),
                   optional("SigningAlgorithm", &Response::signing_algorithm, kSigningAlgorithm));
  }
};

Result<Response> sign(Context& context, const Request& in) {
  const kms::Key& key = context.key();
  TRY_ASSIGN(Bytes signature,
             context.service().sign(key, algorithm_of(in.signing_algorithm),
                                    message_of(*in.message_type, in.message.view())));
  return Response{key.arn(), std::move(signature), in.signing_algorithm};
}

}  // namespace

constinit const Operation rows::kSign = {
    .name = "Sign",
    .keys = {{.member = "KeyId",
              .lookup = kms::KeyLookup::kIdArnOrAlias,
              .action = "kms:Sign",
              .grant_operation = "Sign",
              .usage = KeyUsage::kSignVerify,
              .state = kms::StateRule::kEnabled,
              .algorithm_member = "SigningAlgorithm"}},
    .dry_run = DryRun::kBeforeHandler,
    .weight = Weight::kHeavy,
    .errors = {ErrorCode::kNotFound, ErrorCode::kDisabled, ErrorCode::kKeyUnavailable,
               ErrorCode::kDependencyTimeout, ErrorCode::kInvalidKeyUsage,
               ErrorCode::kInvalidGrantToken, ErrorCode::kKmsInternal, ErrorCode::kKmsInvalidState,
               ErrorCode::kDryRunOperation},
    .handler = handled_by<sign>,
};

}  // namespace keyhold::api

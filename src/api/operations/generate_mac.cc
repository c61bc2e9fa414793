//= https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateMac.html
#include "api/handler.h"
#include "api/members.h"
#include "api/operations/signing_request.h"

namespace keyhold::api {
namespace {

struct Request {
  Secret message;
  std::string key_id;
  std::string mac_algorithm;
  std::vector<std::string> grant_tokens;
  std::optional<bool> dry_run;

  static constexpr auto shape() {
    return members(required("Message", &Request::message, kPlaintext),
                   required("KeyId", &Request::key_id, kKeyId.in_audit()),
                   required("MacAlgorithm", &Request::mac_algorithm, kMacAlgorithm.in_audit()),
                   optional("GrantTokens", &Request::grant_tokens, kGrantTokens),
                   optional("DryRun", &Request::dry_run, Rule{}.in_audit()));
  }
};

struct Response {
  std::string key_id;
  Bytes mac;
  std::string mac_algorithm;

  static constexpr auto shape() {
    return members(optional("KeyId", &Response::key_id, kKeyId),
                   optional("Mac", &Response::mac, kCiphertext),
                   optional("MacAlgorithm", &Response::mac_algorithm, kMacAlgorithm));
  }
};

Result<Response> generate_mac(Context& context, const Request& in) {
  const kms::Key& key = context.key();
  TRY_ASSIGN(Bytes mac, context.service().sign(key, algorithm_of(in.mac_algorithm),
                                               {MessageType::kRaw, in.message.view()}));
  return Response{key.arn(), std::move(mac), in.mac_algorithm};
}

}  // namespace

constinit const Operation rows::kGenerateMac = {
    .name = "GenerateMac",
    .keys = {{.member = "KeyId",
              .lookup = kms::KeyLookup::kIdArnOrAlias,
              .action = "kms:GenerateMac",
              .grant_operation = "GenerateMac",
              .usage = KeyUsage::kGenerateVerifyMac,
              .state = kms::StateRule::kEnabled,
              .algorithm_member = "MacAlgorithm"}},
    .dry_run = DryRun::kBeforeHandler,
    .errors = {ErrorCode::kNotFound, ErrorCode::kDisabled, ErrorCode::kKeyUnavailable,
               ErrorCode::kInvalidKeyUsage, ErrorCode::kInvalidGrantToken, ErrorCode::kKmsInternal,
               ErrorCode::kKmsInvalidState, ErrorCode::kDryRunOperation},
    .handler = handled_by<generate_mac>,
};

}  // namespace keyhold::api

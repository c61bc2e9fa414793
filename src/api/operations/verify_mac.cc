//= https://docs.aws.amazon.com/kms/latest/APIReference/API_VerifyMac.html
#include "api/handler.h"
#include "api/members.h"
#include "api/operations/signing_request.h"

namespace keyhold::api {
namespace {

struct Request {
  Secret message;
  std::string key_id;
  std::string mac_algorithm;
  Bytes mac;
  std::vector<std::string> grant_tokens;
  std::optional<bool> dry_run;

  static constexpr auto shape() {
    return members(required("Message", &Request::message, kPlaintext),
                   required("KeyId", &Request::key_id, kKeyId.in_audit()),
                   required("MacAlgorithm", &Request::mac_algorithm, kMacAlgorithm.in_audit()),
                   required("Mac", &Request::mac, kCiphertext),
                   optional("GrantTokens", &Request::grant_tokens, kGrantTokens),
                   optional("DryRun", &Request::dry_run, Rule{}.in_audit()));
  }
};

struct Response {
  std::string key_id;
  std::string mac_algorithm;
  bool mac_valid = false;

  static constexpr auto shape() {
    return members(optional("KeyId", &Response::key_id, kKeyId),
                   optional("MacAlgorithm", &Response::mac_algorithm, kMacAlgorithm),
                   optional("MacValid", &Response::mac_valid));
  }
};

Result<Response> verify_mac(Context& context, const Request& in) {
  const kms::Key& key = context.key();
  TRY(context.service().verify_mac(key, algorithm_of(in.mac_algorithm), in.message.view(), in.mac));
  return Response{key.arn(), in.mac_algorithm, true};
}

}  // namespace

constinit const Operation rows::kVerifyMac = {
    .name = "VerifyMac",
    .keys = {{.member = "KeyId",
              .lookup = kms::KeyLookup::kIdArnOrAlias,
              .action = "kms:VerifyMac",
              .grant_operation = "VerifyMac",
              .usage = KeyUsage::kGenerateVerifyMac,
              .state = kms::StateRule::kEnabled,
              .algorithm_member = "MacAlgorithm"}},
    .dry_run = DryRun::kBeforeHandler,
    .errors = {ErrorCode::kNotFound, ErrorCode::kDisabled, ErrorCode::kKeyUnavailable,
               ErrorCode::kInvalidKeyUsage, ErrorCode::kInvalidGrantToken, ErrorCode::kKmsInternal,
               ErrorCode::kKmsInvalidMac, ErrorCode::kKmsInvalidState, ErrorCode::kDryRunOperation},
    .handler = handled_by<verify_mac>,
};

}  // namespace keyhold::api

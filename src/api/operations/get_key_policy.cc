//= https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyPolicy.html
#include "api/handler.h"
#include "api/members.h"
#include "api/operations/policy.h"

namespace keyhold::api {
namespace {

struct Request {
  std::string key_id;
  std::optional<std::string> policy_name;

  static constexpr auto shape() {
    return members(required("KeyId", &Request::key_id, kKeyId.in_audit()),
                   optional("PolicyName", &Request::policy_name, kPolicyNameRule.in_audit()));
  }

  Result<void> complete() {
    if (!policy_name) policy_name = kms::kPolicyName;
    return {};
  }

  Result<void> check_after_lookup() const { return check_policy_name(*policy_name); }
};

struct Response {
  std::string policy;
  std::string policy_name;

  static constexpr auto shape() {
    return members(optional("Policy", &Response::policy, kPolicy),
                   optional("PolicyName", &Response::policy_name, kPolicyNameRule));
  }
};

Result<Response> get_key_policy(Context& context, const Request&) {
  return Response{kms::policy_text(context.key().record()), std::string(kms::kPolicyName)};
}

}  // namespace

constinit const Operation rows::kGetKeyPolicy = {
    .name = "GetKeyPolicy",
    .keys = {{.member = "KeyId",
              .lookup = kms::KeyLookup::kIdOrArn,
              .action = "kms:GetKeyPolicy",
              .state = kms::StateRule::kAnyState}},
    .errors = {ErrorCode::kNotFound, ErrorCode::kInvalidArn, ErrorCode::kDependencyTimeout,
               ErrorCode::kKmsInternal, ErrorCode::kKmsInvalidState},
    .handler = handled_by<get_key_policy>,
};

}  // namespace keyhold::api

//= https://docs.aws.amazon.com/kms/latest/APIReference/API_PutKeyPolicy.html
#include "api/handler.h"
#include "api/members.h"
#include "api/operations/policy.h"

namespace keyhold::api {
namespace {

struct Request {
  std::string key_id;
  std::optional<std::string> policy_name;
  std::string policy;
  std::optional<bool> bypass_policy_lockout_safety_check;

  static constexpr auto shape() {
    return members(required("KeyId", &Request::key_id, kKeyId.in_audit()),
                   optional("PolicyName", &Request::policy_name, kPolicyNameRule.in_audit()),
                   required("Policy", &Request::policy, kPolicy.in_audit()),
                   optional("BypassPolicyLockoutSafetyCheck",
                            &Request::bypass_policy_lockout_safety_check, Rule{}.in_audit()));
  }

  Result<void> complete() {
    if (!policy_name) policy_name = kms::kPolicyName;
    if (!bypass_policy_lockout_safety_check) bypass_policy_lockout_safety_check = false;
    return {};
  }

  Result<void> check_after_lookup() const { return check_policy_name(*policy_name); }
};

Result<void> put_key_policy(Context& context, const Request& in) {
  TRY_ASSIGN(const auto policy, context.service().read_policy(in.policy));
  if (!*in.bypass_policy_lockout_safety_check) {
    TRY(context.check_lockout(&context.key(), *policy));
  }
  return context.service().put_policy(context.key(), in.policy);
}

}  // namespace

constinit const Operation rows::kPutKeyPolicy = {
    .name = "PutKeyPolicy",
    .keys = {{.member = "KeyId",
              .lookup = kms::KeyLookup::kIdOrArn,
              .action = "kms:PutKeyPolicy",
              .state = kms::StateRule::kAnyState}},
    .effect = Effect::kWrite,
    .weight = Weight::kHeavy,
    .errors = {ErrorCode::kNotFound, ErrorCode::kInvalidArn, ErrorCode::kMalformedPolicyDocument,
               ErrorCode::kDependencyTimeout, ErrorCode::kUnsupportedOperation,
               ErrorCode::kKmsInternal, ErrorCode::kLimitExceeded, ErrorCode::kKmsInvalidState},
    .handler = handled_by<put_key_policy>,
};

}  // namespace keyhold::api

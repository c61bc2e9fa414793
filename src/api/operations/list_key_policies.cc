//= https://docs.aws.amazon.com/kms/latest/APIReference/API_ListKeyPolicies.html
#include "api/handler.h"
#include "api/members.h"
#include "api/operations/policy.h"

namespace keyhold::api {
namespace {

struct Request {
  std::string key_id;
  std::optional<std::int64_t> limit;
  std::optional<std::string> marker;

  static constexpr auto shape() {
    return members(required("KeyId", &Request::key_id, kKeyId.in_audit()),
                   optional("Limit", &Request::limit, kLimit.in_audit()),
                   optional("Marker", &Request::marker, kMarker.in_audit()));
  }
};

struct Response {
  std::optional<std::string> next_marker;
  std::vector<std::string> policy_names;
  bool truncated = false;

  static constexpr auto shape() {
    return members(optional("NextMarker", &Response::next_marker, kMarker),
                   optional("PolicyNames", &Response::policy_names, kPolicyNames),
                   optional("Truncated", &Response::truncated));
  }
};

// A key has one policy, so one page has them all and no marker was ever given out.
Result<Response> list_key_policies(Context&, const Request& in) {
  if (in.marker) {
    return Error(ErrorCode::kValidation, "The marker is not valid for this list.");
  }
  Response out;
  out.policy_names.emplace_back(kms::kPolicyName);
  return out;
}

}  // namespace

constinit const Operation rows::kListKeyPolicies = {
    .name = "ListKeyPolicies",
    .keys = {{.member = "KeyId",
              .lookup = kms::KeyLookup::kIdOrArn,
              .action = "kms:ListKeyPolicies",
              .state = kms::StateRule::kAnyState}},
    .errors = {ErrorCode::kNotFound, ErrorCode::kInvalidArn, ErrorCode::kDependencyTimeout,
               ErrorCode::kKmsInternal, ErrorCode::kKmsInvalidState},
    .handler = handled_by<list_key_policies>,
};

}  // namespace keyhold::api

//= https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateAlias.html
#include "api/handler.h"
#include "api/members.h"
#include "api/operations/alias_name.h"
#include "kms/arn.h"

namespace keyhold::api {
namespace {

struct Request {
  std::string alias_name;
  std::string target_key_id;

  static constexpr auto shape() {
    return members(required("AliasName", &Request::alias_name, kAliasName.in_audit()),
                   required("TargetKeyId", &Request::target_key_id, kKeyId.in_audit()));
  }

  Result<void> complete() {
    TRY(check_alias_name(alias_name));
    // AWS keeps this part of the name space for the keys it manages.
    if (alias_name.starts_with("alias/aws/")) return Error(ErrorCode::kNotAuthorized);
    if (alias_name == "alias/") {
      return Error(ErrorCode::kInvalidAliasName, "The name of an alias must not be empty.");
    }
    return check_alias_target(target_key_id);
  }
};

Result<void> create_alias(Context& context, const Request& in) {
  const kms::Scope& scope = context.scope();
  context.note_alias(kms::alias_arn(scope.region, scope.account, in.alias_name));
  return context.service().create_alias(scope, in.alias_name, context.key());
}

}  // namespace

constinit const Operation rows::kCreateAlias = {
    .name = "CreateAlias",
    .account_action = "kms:CreateAlias",
    .keys = {{.member = "TargetKeyId",
              .action = "kms:CreateAlias",
              .state = kms::StateRule::kNotPendingDeletion}},
    .effect = Effect::kWrite,
    .weight = Weight::kHeavy,
    .errors = {ErrorCode::kDependencyTimeout, ErrorCode::kAlreadyExists, ErrorCode::kNotFound,
               ErrorCode::kInvalidAliasName, ErrorCode::kKmsInternal, ErrorCode::kLimitExceeded,
               ErrorCode::kKmsInvalidState},
    .handler = handled_by<create_alias>,
};

}  // namespace keyhold::api

//= https://docs.aws.amazon.com/kms/latest/APIReference/API_UpdateAlias.html
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
    return check_alias_target(target_key_id);
  }
};

Result<void> update_alias(Context& context, const Request& in) {
  const kms::Scope& scope = context.scope();
  context.note_alias(kms::alias_arn(scope.region, scope.account, in.alias_name));
  return context.service().update_alias(scope, in.alias_name, context.key(1));
}

}  // namespace

constinit const Operation rows::kUpdateAlias = {
    .name = "UpdateAlias",
    .account_action = "kms:UpdateAlias",
    // The key that the alias is taken from may be in any state, the new one may not.
    .keys = {{.member = "AliasName",
              .lookup = kms::KeyLookup::kIdArnOrAlias,
              .action = "kms:UpdateAlias"},
             {.member = "TargetKeyId",
              .action = "kms:UpdateAlias",
              .state = kms::StateRule::kNotPendingDeletion}},
    .effect = Effect::kWrite,
    .weight = Weight::kHeavy,
    .errors = {ErrorCode::kDependencyTimeout, ErrorCode::kNotFound, ErrorCode::kKmsInternal,
               ErrorCode::kLimitExceeded, ErrorCode::kKmsInvalidState},
    .handler = handled_by<update_alias>,
};

}  // namespace keyhold::api

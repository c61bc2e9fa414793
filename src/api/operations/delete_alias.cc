//= https://docs.aws.amazon.com/kms/latest/APIReference/API_DeleteAlias.html
#include "api/handler.h"
#include "api/members.h"
#include "api/operations/alias_name.h"
#include "kms/arn.h"

namespace keyhold::api {
namespace {

struct Request {
  std::string alias_name;

  static constexpr auto shape() {
    return members(required("AliasName", &Request::alias_name, kAliasName.in_audit()));
  }

  Result<void> complete() { return check_alias_name(alias_name); }
};

Result<void> delete_alias(Context& context, const Request& in) {
  const kms::Scope& scope = context.scope();
  context.note_alias(kms::alias_arn(scope.region, scope.account, in.alias_name));
  return context.service().delete_alias(scope, in.alias_name);
}

}  // namespace

constinit const Operation rows::kDeleteAlias = {
    .name = "DeleteAlias",
    .account_action = "kms:DeleteAlias",
    .keys = {{.member = "AliasName",
              .lookup = kms::KeyLookup::kIdArnOrAlias,
              .action = "kms:DeleteAlias"}},
    .effect = Effect::kWrite,
    .weight = Weight::kHeavy,
    .errors = {ErrorCode::kDependencyTimeout, ErrorCode::kNotFound, ErrorCode::kKmsInternal,
               ErrorCode::kKmsInvalidState},
    .handler = handled_by<delete_alias>,
};

}  // namespace keyhold::api

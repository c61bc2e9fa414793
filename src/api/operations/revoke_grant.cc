//= https://docs.aws.amazon.com/kms/latest/APIReference/API_RevokeGrant.html
#include "api/grants.h"
#include "api/handler.h"
#include "api/members.h"

namespace keyhold::api {
namespace {

struct Request {
  std::string key_id;
  std::string grant_id;
  std::optional<bool> dry_run;

  static constexpr auto shape() {
    return members(required("KeyId", &Request::key_id, kKeyId.in_audit()),
                   required("GrantId", &Request::grant_id, kGrantId.in_audit()),
                   optional("DryRun", &Request::dry_run, Rule{}.in_audit()));
  }
};

Result<void> revoke_grant(Context& context, const Request& in) {
  TRY(kms::check_grant_id(in.grant_id));
  TRY_ASSIGN(const auto grant, context.service().find_grant(context.key(), in.grant_id));
  if (in.dry_run.value_or(false)) return dry_run_verdict();
  return context.service().delete_grant(*grant);
}

}  // namespace

constinit const Operation rows::kRevokeGrant = {
    .name = "RevokeGrant",
    .keys = {{.member = "KeyId",
              .lookup = kms::KeyLookup::kIdOrArn,
              .action = "kms:RevokeGrant",
              .cross_account = kms::CrossAccount::kYes,
              .state = kms::StateRule::kAnyState}},
    .dry_run = DryRun::kByHandler,
    .effect = Effect::kWrite,
    .weight = Weight::kHeavy,
    .errors = {ErrorCode::kNotFound, ErrorCode::kDependencyTimeout, ErrorCode::kInvalidArn,
               ErrorCode::kInvalidGrantId, ErrorCode::kKmsInternal, ErrorCode::kKmsInvalidState,
               ErrorCode::kDryRunOperation},
    .handler = handled_by<revoke_grant>,
};

}  // namespace keyhold::api

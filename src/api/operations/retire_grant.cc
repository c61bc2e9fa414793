//= https://docs.aws.amazon.com/kms/latest/APIReference/API_RetireGrant.html
#include "api/grants.h"
#include "api/handler.h"
#include "api/members.h"

namespace keyhold::api {
namespace {

struct Request {
  std::optional<std::string> grant_token;
  std::optional<std::string> key_id;
  std::optional<std::string> grant_id;
  std::optional<bool> dry_run;

  static constexpr auto shape() {
    return members(optional("GrantToken", &Request::grant_token, kGrantToken),
                   optional("KeyId", &Request::key_id, kKeyId.in_audit()),
                   optional("GrantId", &Request::grant_id, kGrantId.in_audit()),
                   optional("DryRun", &Request::dry_run, Rule{}.in_audit()));
  }

  Result<void> complete() {
    if (grant_token ? key_id || grant_id : !key_id || !grant_id) {
      return Error(ErrorCode::kValidation,
                   "You must specify either a grant token, or a key ID and a grant ID.");
    }
    return {};
  }
};

/// The grant that is meant, and its key.
struct Meant {
  kms::GrantPtr grant;
  kms::KeyPtr key;
};

Result<Meant> find_meant(Context& context, const Request& in) {
  kms::Service& service = context.service();
  Meant meant;
  if (in.grant_token) {
    TRY_ASSIGN(const auto reference, service.read_grant_token(*in.grant_token));
    meant.key = service.find_key_by_id(context.scope(), reference.key_id);
    if (meant.key == nullptr) return kms::invalid_grant_token();
    TRY_ASSIGN(meant.grant, service.find_grant(*meant.key, reference.grant_id));
    context.note_key(*meant.key);
    return meant;
  }
  TRY(kms::check_grant_id(*in.grant_id));
  meant.key = context.key_pointer();
  TRY_ASSIGN(meant.grant, service.find_grant(*meant.key, *in.grant_id));
  return meant;
}

Result<void> retire_grant(Context& context, const Request& in) {
  TRY_ASSIGN(const Meant meant, find_meant(context, in));
  context.note_grant(meant.grant->grant_id);
  TRY(context.check_retirement(*meant.key, *meant.grant));
  if (in.dry_run.value_or(false)) return dry_run_verdict();
  return context.service().delete_grant(*meant.grant);
}

}  // namespace

constinit const Operation rows::kRetireGrant = {
    .name = "RetireGrant",
    .keys = {{.member = "KeyId",
              .lookup = kms::KeyLookup::kIdOrArn,
              .naming = Naming::kOptionalMember,
              .cross_account = kms::CrossAccount::kYes,
              .state = kms::StateRule::kAnyState}},
    .dry_run = DryRun::kByHandler,
    .effect = Effect::kWrite,
    .weight = Weight::kHeavy,
    .errors = {ErrorCode::kInvalidArn, ErrorCode::kInvalidGrantToken, ErrorCode::kInvalidGrantId,
               ErrorCode::kNotFound, ErrorCode::kDependencyTimeout, ErrorCode::kKmsInternal,
               ErrorCode::kKmsInvalidState, ErrorCode::kDryRunOperation},
    .handler = handled_by<retire_grant>,
};

}  // namespace keyhold::api

//= https://docs.aws.amazon.com/kms/latest/APIReference/API_CreateGrant.html
#include "api/grants.h"
#include "api/handler.h"
#include "api/members.h"

namespace keyhold::api {
namespace {

struct Request {
  std::string key_id;
  std::optional<std::string> grantee_principal;
  std::optional<std::string> retiring_principal;
  std::vector<std::string> operations;
  std::optional<GrantConstraints> constraints;
  std::vector<std::string> grant_tokens;
  std::optional<std::string> name;
  std::optional<bool> dry_run;
  std::optional<std::string> grantee_service_principal;
  std::optional<std::string> retiring_service_principal;

  static constexpr auto shape() {
    return members(
        required("KeyId", &Request::key_id, kKeyId.in_audit()),
        optional("GranteePrincipal", &Request::grantee_principal, kPrincipalId.in_audit()),
        optional("RetiringPrincipal", &Request::retiring_principal, kPrincipalId.in_audit()),
        required("Operations", &Request::operations, kGrantOperations.in_audit()),
        optional("Constraints", &Request::constraints, Rule{}.in_audit()),
        optional("GrantTokens", &Request::grant_tokens, kGrantTokens),
        optional("Name", &Request::name, kGrantName.in_audit()),
        optional("DryRun", &Request::dry_run, Rule{}.in_audit()),
        optional("GranteeServicePrincipal", &Request::grantee_service_principal, kServicePrincipal),
        optional("RetiringServicePrincipal", &Request::retiring_service_principal,
                 kServicePrincipal));
  }

  Result<void> complete() {
    if (!grantee_principal && !grantee_service_principal) {
      return absent_member("GranteePrincipal");
    }
    if (constraints && !constraints->encryption_context_equals.empty() &&
        !constraints->encryption_context_subset.empty()) {
      return Error(ErrorCode::kValidation,
                   "You cannot specify EncryptionContextEquals and EncryptionContextSubset in the "
                   "same grant constraint.");
    }
    return {};
  }
};

struct Response {
  std::string grant_id;
  std::string grant_token;

  static constexpr auto shape() {
    return members(optional("GrantId", &Response::grant_id, kGrantId.in_audit()),
                   optional("GrantToken", &Response::grant_token, kIssuedGrantToken));
  }
};

Result<Response> create_grant(Context& context, const Request& in) {
  const auto wanted = kms::grant_of(context.parameters());
  if (!wanted) return Error(ErrorCode::kKmsInternal, {}, "a grant operation without a word");
  TRY(context.service().check_grant(*wanted, context.key()));
  if (in.dry_run.value_or(false)) return dry_run_verdict();
  TRY_ASSIGN(auto created,
             context.service().create_grant(context.key(), *wanted, context.scope().account));
  return Response{std::move(created.grant_id), std::move(created.grant_token)};
}

}  // namespace

constinit const Operation rows::kCreateGrant = {
    .name = "CreateGrant",
    .keys = {{.member = "KeyId",
              .lookup = kms::KeyLookup::kIdOrArn,
              .action = "kms:CreateGrant",
              .grant_operation = "CreateGrant",
              .state = kms::StateRule::kEnabled}},
    .dry_run = DryRun::kByHandler,
    .effect = Effect::kWrite,
    .weight = Weight::kHeavy,
    .errors = {ErrorCode::kNotFound, ErrorCode::kDisabled, ErrorCode::kDependencyTimeout,
               ErrorCode::kInvalidArn, ErrorCode::kKmsInternal, ErrorCode::kInvalidGrantToken,
               ErrorCode::kLimitExceeded, ErrorCode::kKmsInvalidState, ErrorCode::kDryRunOperation},
    .handler = handled_by<create_grant>,
};

}  // namespace keyhold::api

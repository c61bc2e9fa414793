//= https://docs.aws.amazon.com/kms/latest/APIReference/API_ListGrants.html
#include "api/grants.h"
#include "api/handler.h"
#include "api/members.h"
#include "api/operations/listing.h"

namespace keyhold::api {
namespace {

constexpr std::int64_t kPage = 50;
constexpr std::int64_t kLargestPage = 100;

struct Request {
  std::optional<std::int64_t> limit;
  std::optional<std::string> marker;
  std::string key_id;
  std::optional<std::string> grant_id;
  std::optional<std::string> grantee_principal;
  std::optional<std::string> grantee_service_principal;

  static constexpr auto shape() {
    return members(
        optional("Limit", &Request::limit, kLimit.in_audit()),
        optional("Marker", &Request::marker, kMarker.in_audit()),
        required("KeyId", &Request::key_id, kKeyId.in_audit()),
        optional("GrantId", &Request::grant_id, kGrantId.in_audit()),
        optional("GranteePrincipal", &Request::grantee_principal, kPrincipalId.in_audit()),
        optional("GranteeServicePrincipal", &Request::grantee_service_principal,
                 kServicePrincipal));
  }
};

Result<GrantList> list_grants(Context& context, const Request& in) {
  if (in.grant_id) TRY(kms::check_grant_id(*in.grant_id));
  const kms::Key& key = context.key();
  TRY_ASSIGN(const auto page,
             context.service().list_grants(
                 {.key_id = key.id(),
                  .grant_id = in.grant_id ? *in.grant_id : std::string_view(),
                  .grantee = in.grantee_principal ? *in.grantee_principal : std::string_view()},
                 page_request(in.limit, in.marker, kPage, kLargestPage)));
  return to_wire(page, [&](std::string_view) { return key.arn(); });
}

}  // namespace

constinit const Operation rows::kListGrants = {
    .name = "ListGrants",
    .keys = {{.member = "KeyId",
              .lookup = kms::KeyLookup::kIdOrArn,
              .action = "kms:ListGrants",
              .cross_account = kms::CrossAccount::kYes,
              .state = kms::StateRule::kAnyState}},
    .errors = {ErrorCode::kNotFound, ErrorCode::kDependencyTimeout, ErrorCode::kInvalidMarker,
               ErrorCode::kInvalidGrantId, ErrorCode::kInvalidArn, ErrorCode::kKmsInternal,
               ErrorCode::kKmsInvalidState},
    .handler = handled_by<list_grants>,
};

}  // namespace keyhold::api

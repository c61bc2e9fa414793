//= https://docs.aws.amazon.com/kms/latest/APIReference/API_ListRetirableGrants.html
#include "api/grants.h"
#include "api/handler.h"
#include "api/members.h"
#include "api/operations/listing.h"
#include "kms/principal_arn.h"

namespace keyhold::api {
namespace {

constexpr std::int64_t kPage = 50;
constexpr std::int64_t kLargestPage = 100;

struct Request {
  std::optional<std::int64_t> limit;
  std::optional<std::string> marker;
  std::optional<std::string> retiring_principal;
  std::optional<std::string> retiring_service_principal;

  static constexpr auto shape() {
    return members(
        optional("Limit", &Request::limit, kLimit.in_audit()),
        optional("Marker", &Request::marker, kMarker.in_audit()),
        optional("RetiringPrincipal", &Request::retiring_principal, kPrincipalId.in_audit()),
        optional("RetiringServicePrincipal", &Request::retiring_service_principal,
                 kServicePrincipal));
  }

  Result<void> complete() {
    if (!retiring_principal && !retiring_service_principal) {
      return absent_member("RetiringPrincipal");
    }
    return {};
  }
};

Result<GrantList> list_retirable_grants(Context& context, const Request& in) {
  const kms::Scope& scope = context.scope();
  // What others may retire is not the caller's to know.
  if (!kms::is_principal_arn(*in.retiring_principal) ||
      kms::account_of(*in.retiring_principal) != scope.account) {
    return Error(ErrorCode::kInvalidArn,
                 "ARN does not refer to a valid principal: " + *in.retiring_principal);
  }
  kms::Service& service = context.service();
  TRY_ASSIGN(const auto page,
             service.list_retirable_grants(scope.region, *in.retiring_principal,
                                           page_request(in.limit, in.marker, kPage, kLargestPage)));
  return to_wire(page, [&](std::string_view key_id) {
    const auto key = service.find_key_by_id(scope, key_id);
    return key == nullptr ? std::string(key_id) : key->arn();
  });
}

}  // namespace

constinit const Operation rows::kListRetirableGrants = {
    .name = "ListRetirableGrants",
    .account_action = "kms:ListRetirableGrants",
    .errors = {ErrorCode::kDependencyTimeout, ErrorCode::kInvalidMarker, ErrorCode::kInvalidArn,
               ErrorCode::kNotFound, ErrorCode::kKmsInternal},
    .handler = handled_by<list_retirable_grants>,
};

}  // namespace keyhold::api

//= https://docs.aws.amazon.com/kms/latest/APIReference/API_ListAliases.html
#include "api/handler.h"
#include "api/members.h"
#include "api/operations/listing.h"
#include "kms/arn.h"

namespace keyhold::api {
namespace {

constexpr std::int64_t kPage = 50;
constexpr std::int64_t kLargestPage = 100;

struct Request {
  std::optional<std::string> key_id;
  std::optional<std::int64_t> limit;
  std::optional<std::string> marker;

  static constexpr auto shape() {
    return members(optional("KeyId", &Request::key_id, kKeyId.in_audit()),
                   optional("Limit", &Request::limit, kLimit.in_audit()),
                   optional("Marker", &Request::marker, kMarker.in_audit()));
  }
};

struct Entry {
  std::string alias_arn;
  std::string alias_name;
  TimePoint creation_date;
  TimePoint last_updated_date;
  std::string target_key_id;

  static constexpr auto shape() {
    return members(optional("AliasArn", &Entry::alias_arn, kArn),
                   optional("AliasName", &Entry::alias_name, kAliasName),
                   optional("CreationDate", &Entry::creation_date),
                   optional("LastUpdatedDate", &Entry::last_updated_date),
                   optional("TargetKeyId", &Entry::target_key_id, kKeyId));
  }
};

struct Response {
  std::vector<Entry> aliases;
  std::optional<std::string> next_marker;
  bool truncated = false;

  static constexpr auto shape() {
    return members(optional("Aliases", &Response::aliases),
                   optional("NextMarker", &Response::next_marker, kMarker),
                   optional("Truncated", &Response::truncated));
  }
};

Result<Response> list_aliases(Context& context, const Request& in) {
  TRY_ASSIGN(auto page, context.service().list_aliases(
                            context.scope(), context.find_key(),
                            page_request(in.limit, in.marker, kPage, kLargestPage)));
  Response out;
  for (auto& alias : page.elements) {
    std::string arn = kms::alias_arn(alias.region, alias.account, alias.name);
    out.aliases.push_back({.alias_arn = std::move(arn),
                           .alias_name = std::move(alias.name),
                           .creation_date = alias.created_at,
                           .last_updated_date = alias.updated_at,
                           .target_key_id = std::move(alias.target_key_id)});
  }
  out.truncated = page.next_marker.has_value();
  out.next_marker = std::move(page.next_marker);
  return out;
}

}  // namespace

constinit const Operation rows::kListAliases = {
    .name = "ListAliases",
    .account_action = "kms:ListAliases",
    .keys = {{.member = "KeyId", .naming = Naming::kOptionalMember}},
    .errors = {ErrorCode::kDependencyTimeout, ErrorCode::kInvalidMarker, ErrorCode::kKmsInternal,
               ErrorCode::kInvalidArn, ErrorCode::kNotFound},
    .handler = handled_by<list_aliases>,
};

}  // namespace keyhold::api

//= https://docs.aws.amazon.com/kms/latest/APIReference/API_ListResourceTags.html
#include "api/handler.h"
#include "api/members.h"
#include "api/operations/listing.h"
#include "api/tags.h"
#include "kms/tag.h"

namespace keyhold::api {
namespace {

constexpr std::int64_t kPage = 50;
constexpr std::int64_t kLargestPage = 50;

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
  std::vector<Tag> tags;
  bool truncated = false;

  static constexpr auto shape() {
    return members(optional("NextMarker", &Response::next_marker, kMarker),
                   optional("Tags", &Response::tags), optional("Truncated", &Response::truncated));
  }
};

Result<Response> list_resource_tags(Context& context, const Request& in) {
  TRY_ASSIGN(auto page,
             kms::list_tags(context.key(), page_request(in.limit, in.marker, kPage, kLargestPage)));
  Response out;
  for (auto& tag : page.elements) out.tags.push_back({std::move(tag.key), std::move(tag.value)});
  out.truncated = page.next_marker.has_value();
  out.next_marker = std::move(page.next_marker);
  return out;
}

}  // namespace

constinit const Operation rows::kListResourceTags = {
    .name = "ListResourceTags",
    .keys = {{.member = "KeyId",
              .lookup = kms::KeyLookup::kIdOrArn,
              .action = "kms:ListResourceTags",
              .state = kms::StateRule::kAnyState}},
    .errors = {ErrorCode::kKmsInternal, ErrorCode::kNotFound, ErrorCode::kInvalidArn,
               ErrorCode::kInvalidMarker},
    .handler = handled_by<list_resource_tags>,
};

}  // namespace keyhold::api

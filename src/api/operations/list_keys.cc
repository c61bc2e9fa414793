//= https://docs.aws.amazon.com/kms/latest/APIReference/API_ListKeys.html
#include "api/handler.h"
#include "api/members.h"
#include "api/operations/listing.h"

namespace keyhold::api {
namespace {

constexpr std::int64_t kPage = 100;
constexpr std::int64_t kLargestPage = 1000;

struct Request {
  std::optional<std::int64_t> limit;
  std::optional<std::string> marker;

  static constexpr auto shape() {
    return members(optional("Limit", &Request::limit, kLimit.in_audit()),
                   optional("Marker", &Request::marker, kMarker.in_audit()));
  }
};

struct Entry {
  std::string key_arn;
  std::string key_id;

  static constexpr auto shape() {
    return members(optional("KeyArn", &Entry::key_arn, kArn),
                   optional("KeyId", &Entry::key_id, kKeyId));
  }
};

struct Response {
  std::vector<Entry> keys;
  std::optional<std::string> next_marker;
  bool truncated = false;

  static constexpr auto shape() {
    return members(optional("Keys", &Response::keys),
                   optional("NextMarker", &Response::next_marker, kMarker),
                   optional("Truncated", &Response::truncated));
  }
};

Result<Response> list_keys(Context& context, const Request& in) {
  TRY_ASSIGN(auto page,
             context.service().list_keys(context.scope(),
                                         page_request(in.limit, in.marker, kPage, kLargestPage)));
  Response out;
  for (const auto& key : page.elements) out.keys.push_back({key->arn(), key->id()});
  out.truncated = page.next_marker.has_value();
  out.next_marker = std::move(page.next_marker);
  return out;
}

}  // namespace

constinit const Operation rows::kListKeys = {
    .name = "ListKeys",
    .account_action = "kms:ListKeys",
    .errors = {ErrorCode::kDependencyTimeout, ErrorCode::kKmsInternal, ErrorCode::kInvalidMarker},
    .handler = handled_by<list_keys>,
};

}  // namespace keyhold::api

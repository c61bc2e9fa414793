//= https://docs.aws.amazon.com/kms/latest/APIReference/API_DescribeCustomKeyStores.html
#include "api/handler.h"
#include "api/members.h"

namespace keyhold::api {
namespace {

struct Request {
  std::optional<std::string> custom_key_store_id;
  std::optional<std::string> custom_key_store_name;
  std::optional<std::int64_t> limit;
  std::optional<std::string> marker;

  static constexpr auto shape() {
    return members(
        optional("CustomKeyStoreId", &Request::custom_key_store_id, kCustomKeyStoreId.in_audit()),
        optional("CustomKeyStoreName", &Request::custom_key_store_name,
                 kCustomKeyStoreName.in_audit()),
        optional("Limit", &Request::limit, kLimit.in_audit()),
        optional("Marker", &Request::marker, kMarker.in_audit()));
  }
};

/// Of a custom key store, of which there are none.
struct Entry {
  static constexpr auto shape() { return members(); }
};

struct Response {
  std::vector<Entry> custom_key_stores;
  bool truncated = false;

  static constexpr auto shape() {
    return members(optional("CustomKeyStores", &Response::custom_key_stores),
                   optional("Truncated", &Response::truncated));
  }
};

Result<Response> describe_custom_key_stores(Context&, const Request& in) {
  if (in.custom_key_store_id || in.custom_key_store_name) {
    return Error(ErrorCode::kCustomKeyStoreNotFound, "There are no custom key stores.");
  }
  if (in.marker) return Error(ErrorCode::kInvalidMarker, "The marker is not valid.");
  return Response{};
}

}  // namespace

constinit const Operation rows::kDescribeCustomKeyStores = {
    .name = "DescribeCustomKeyStores",
    .account_action = "kms:DescribeCustomKeyStores",
    .errors = {ErrorCode::kCustomKeyStoreNotFound, ErrorCode::kInvalidMarker,
               ErrorCode::kKmsInternal},
    .handler = handled_by<describe_custom_key_stores>,
};

}  // namespace keyhold::api

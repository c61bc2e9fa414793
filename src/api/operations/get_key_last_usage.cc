//= https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyLastUsage.html
#include "api/handler.h"
#include "api/members.h"

namespace keyhold::api {
namespace {

struct Request {
  std::string key_id;

  static constexpr auto shape() {
    return members(required("KeyId", &Request::key_id, kKeyId.in_audit()));
  }
};

struct KeyLastUsage {
  std::optional<std::string> cloud_trail_event_id;
  std::optional<std::string> kms_request_id;
  std::optional<std::string> operation;
  std::optional<TimePoint> timestamp;

  static constexpr auto shape() {
    return members(optional("CloudTrailEventId", &KeyLastUsage::cloud_trail_event_id),
                   optional("KmsRequestId", &KeyLastUsage::kms_request_id),
                   optional("Operation", &KeyLastUsage::operation, kTrackedOperation),
                   optional("Timestamp", &KeyLastUsage::timestamp));
  }
};

struct Response {
  TimePoint key_creation_date;
  std::string key_id;
  KeyLastUsage key_last_usage;  ///< empty where there was none
  TimePoint tracking_start_date;

  static constexpr auto shape() {
    return members(optional("KeyCreationDate", &Response::key_creation_date),
                   optional("KeyId", &Response::key_id, kKeyId),
                   optional("KeyLastUsage", &Response::key_last_usage),
                   optional("TrackingStartDate", &Response::tracking_start_date));
  }
};

Result<Response> get_key_last_usage(Context& context, const Request&) {
  const kms::Key& key = context.key();
  const kms::KeyUsageHistory history = context.service().usage_of(key);
  Response out{.key_creation_date = key.record().created_at,
               .key_id = key.id(),
               .key_last_usage = {},
               .tracking_start_date = history.tracked_since};
  if (history.last) {
    out.key_last_usage = {history.last->event_id, history.last->request_id, history.last->operation,
                          history.last->used_at};
  }
  return out;
}

}  // namespace

constinit const Operation rows::kGetKeyLastUsage = {
    .name = "GetKeyLastUsage",
    .keys = {{.member = "KeyId",
              .lookup = kms::KeyLookup::kIdOrArn,
              .action = "kms:GetKeyLastUsage",
              .state = kms::StateRule::kAnyState}},
    .errors = {ErrorCode::kNotFound, ErrorCode::kInvalidArn, ErrorCode::kDependencyTimeout,
               ErrorCode::kKmsInternal},
    .handler = handled_by<get_key_last_usage>,
};

}  // namespace keyhold::api

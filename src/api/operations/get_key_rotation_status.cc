//= https://docs.aws.amazon.com/kms/latest/APIReference/API_GetKeyRotationStatus.html
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

struct Response {
  std::string key_id;
  bool key_rotation_enabled = false;
  std::optional<TimePoint> next_rotation_date;
  std::optional<TimePoint> on_demand_rotation_start_date;
  std::optional<std::int64_t> rotation_period_in_days;

  static constexpr auto shape() {
    return members(optional("KeyId", &Response::key_id, kKeyId),
                   optional("KeyRotationEnabled", &Response::key_rotation_enabled),
                   optional("NextRotationDate", &Response::next_rotation_date),
                   optional("OnDemandRotationStartDate", &Response::on_demand_rotation_start_date),
                   optional("RotationPeriodInDays", &Response::rotation_period_in_days,
                            kRotationPeriodInDays));
  }
};

// KeyId here is the bare id, not the ARN, in each of AWS's examples.
Result<Response> get_key_rotation_status(Context& context, const Request&) {
  TRY_ASSIGN(const kms::RotationStatus status, context.service().rotation_status(context.key()));
  return Response{.key_id = context.key().id(),
                  .key_rotation_enabled = status.enabled,
                  .next_rotation_date = status.next_rotation_at,
                  .on_demand_rotation_start_date = status.on_demand_started_at,
                  .rotation_period_in_days = status.period_days};
}

}  // namespace

constinit const Operation rows::kGetKeyRotationStatus = {
    .name = "GetKeyRotationStatus",
    .keys = {{.member = "KeyId",
              .lookup = kms::KeyLookup::kIdOrArn,
              .action = "kms:GetKeyRotationStatus",
              .cross_account = kms::CrossAccount::kYes,
              .state = kms::StateRule::kRotationShown}},
    .errors = {ErrorCode::kNotFound, ErrorCode::kInvalidArn, ErrorCode::kDependencyTimeout,
               ErrorCode::kKmsInternal, ErrorCode::kKmsInvalidState,
               ErrorCode::kUnsupportedOperation},
    .handler = handled_by<get_key_rotation_status>,
};

}  // namespace keyhold::api

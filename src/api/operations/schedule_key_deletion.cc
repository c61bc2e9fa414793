//= https://docs.aws.amazon.com/kms/latest/APIReference/API_ScheduleKeyDeletion.html
#include "api/handler.h"
#include "api/members.h"

namespace keyhold::api {
namespace {

constexpr std::int64_t kDefaultWindowDays = 30;

struct Request {
  std::string key_id;
  std::optional<std::int64_t> pending_window_in_days;

  static constexpr auto shape() {
    return members(required("KeyId", &Request::key_id, kKeyId.in_audit()),
                   optional("PendingWindowInDays", &Request::pending_window_in_days,
                            kPendingWindowInDays.in_audit()));
  }
};

struct Response {
  TimePoint deletion_date;
  std::string key_id;
  std::string key_state;
  std::int64_t pending_window_in_days = 0;

  static constexpr auto shape() {
    return members(optional("DeletionDate", &Response::deletion_date, Rule{}.in_audit()),
                   optional("KeyId", &Response::key_id, kKeyId.in_audit()),
                   optional("KeyState", &Response::key_state, kKeyState.in_audit()),
                   optional("PendingWindowInDays", &Response::pending_window_in_days,
                            kPendingWindowInDays.in_audit()));
  }
};

Result<Response> schedule_key_deletion(Context& context, const Request& in) {
  const auto days = in.pending_window_in_days.value_or(kDefaultWindowDays);
  TRY_ASSIGN(const TimePoint deletion_date,
             context.service().schedule_deletion(context.key(), static_cast<int>(days)));
  return Response{.deletion_date = deletion_date,
                  .key_id = context.key().arn(),
                  .key_state = std::string(to_string(KeyState::kPendingDeletion)),
                  .pending_window_in_days = days};
}

}  // namespace

constinit const Operation rows::kScheduleKeyDeletion = {
    .name = "ScheduleKeyDeletion",
    .keys = {{.member = "KeyId",
              .lookup = kms::KeyLookup::kIdOrArn,
              .action = "kms:ScheduleKeyDeletion",
              .state = kms::StateRule::kNotPendingDeletion}},
    .effect = Effect::kWrite,
    .weight = Weight::kHeavy,
    .errors = {ErrorCode::kNotFound, ErrorCode::kInvalidArn, ErrorCode::kDependencyTimeout,
               ErrorCode::kKmsInternal, ErrorCode::kKmsInvalidState},
    .handler = handled_by<schedule_key_deletion>,
};

}  // namespace keyhold::api

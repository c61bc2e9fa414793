//= https://docs.aws.amazon.com/kms/latest/APIReference/API_EnableKeyRotation.html
#include "api/handler.h"
#include "api/members.h"

namespace keyhold::api {
namespace {

struct Request {
  std::string key_id;
  std::optional<std::int64_t> rotation_period_in_days;

  static constexpr auto shape() {
    return members(required("KeyId", &Request::key_id, kKeyId.in_audit()),
                   optional("RotationPeriodInDays", &Request::rotation_period_in_days,
                            kRotationPeriodInDays.in_audit()));
  }
};

Result<void> enable_key_rotation(Context& context, const Request& in) {
  const auto days = in.rotation_period_in_days.value_or(kms::kDefaultRotationPeriodDays);
  return context.service().enable_rotation(context.key(), static_cast<int>(days));
}

}  // namespace

constinit const Operation rows::kEnableKeyRotation = {
    .name = "EnableKeyRotation",
    .keys = {{.member = "KeyId",
              .lookup = kms::KeyLookup::kIdOrArn,
              .action = "kms:EnableKeyRotation",
              .state = kms::StateRule::kRotated}},
    .effect = Effect::kWrite,
    .weight = Weight::kHeavy,
    .errors = {ErrorCode::kNotFound, ErrorCode::kDisabled, ErrorCode::kInvalidArn,
               ErrorCode::kDependencyTimeout, ErrorCode::kKmsInternal, ErrorCode::kKmsInvalidState,
               ErrorCode::kUnsupportedOperation},
    .handler = handled_by<enable_key_rotation>,
};

}  // namespace keyhold::api

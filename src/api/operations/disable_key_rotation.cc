//= https://docs.aws.amazon.com/kms/latest/APIReference/API_DisableKeyRotation.html
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

Result<void> disable_key_rotation(Context& context, const Request&) {
  return context.service().disable_rotation(context.key());
}

}  // namespace

constinit const Operation rows::kDisableKeyRotation = {
    .name = "DisableKeyRotation",
    .keys = {{.member = "KeyId",
              .lookup = kms::KeyLookup::kIdOrArn,
              .action = "kms:DisableKeyRotation",
              .state = kms::StateRule::kRotated}},
    .effect = Effect::kWrite,
    .weight = Weight::kHeavy,
    .errors = {ErrorCode::kNotFound, ErrorCode::kDisabled, ErrorCode::kInvalidArn,
               ErrorCode::kDependencyTimeout, ErrorCode::kKmsInternal, ErrorCode::kKmsInvalidState,
               ErrorCode::kUnsupportedOperation},
    .handler = handled_by<disable_key_rotation>,
};

}  // namespace keyhold::api

//= https://docs.aws.amazon.com/kms/latest/APIReference/API_DisableKey.html
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

Result<void> disable_key(Context& context, const Request&) {
  return context.service().disable_key(context.key());
}

}  // namespace

constinit const Operation rows::kDisableKey = {
    .name = "DisableKey",
    .keys = {{.member = "KeyId",
              .lookup = kms::KeyLookup::kIdOrArn,
              .action = "kms:DisableKey",
              .state = kms::StateRule::kHasMaterial}},
    .effect = Effect::kWrite,
    .weight = Weight::kHeavy,
    .errors = {ErrorCode::kNotFound, ErrorCode::kInvalidArn, ErrorCode::kDependencyTimeout,
               ErrorCode::kKmsInternal, ErrorCode::kKmsInvalidState},
    .handler = handled_by<disable_key>,
};

}  // namespace keyhold::api

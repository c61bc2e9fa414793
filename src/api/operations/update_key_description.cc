//= https://docs.aws.amazon.com/kms/latest/APIReference/API_UpdateKeyDescription.html
#include "api/handler.h"
#include "api/members.h"

namespace keyhold::api {
namespace {

struct Request {
  std::string key_id;
  std::string description;

  static constexpr auto shape() {
    return members(required("KeyId", &Request::key_id, kKeyId.in_audit()),
                   required("Description", &Request::description, kDescription.in_audit()));
  }
};

Result<void> update_key_description(Context& context, const Request& in) {
  return context.service().update_description(context.key(), in.description);
}

}  // namespace

constinit const Operation rows::kUpdateKeyDescription = {
    .name = "UpdateKeyDescription",
    .keys = {{.member = "KeyId",
              .lookup = kms::KeyLookup::kIdOrArn,
              .action = "kms:UpdateKeyDescription",
              .state = kms::StateRule::kNotPendingDeletion}},
    .effect = Effect::kWrite,
    .weight = Weight::kHeavy,
    .errors = {ErrorCode::kNotFound, ErrorCode::kInvalidArn, ErrorCode::kDependencyTimeout,
               ErrorCode::kKmsInternal, ErrorCode::kKmsInvalidState},
    .handler = handled_by<update_key_description>,
};

}  // namespace keyhold::api

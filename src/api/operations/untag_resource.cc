//= https://docs.aws.amazon.com/kms/latest/APIReference/API_UntagResource.html
#include "api/handler.h"
#include "api/members.h"
#include "api/tags.h"

namespace keyhold::api {
namespace {

struct Request {
  std::string key_id;
  std::vector<std::string> tag_keys;

  static constexpr auto shape() {
    return members(required("KeyId", &Request::key_id, kKeyId.in_audit()),
                   required("TagKeys", &Request::tag_keys, kTagKeys.in_audit()));
  }
};

Result<void> untag_resource(Context& context, const Request& in) {
  return context.service().untag_key(context.key(), in.tag_keys);
}

}  // namespace

constinit const Operation rows::kUntagResource = {
    .name = "UntagResource",
    .keys = {{.member = "KeyId",
              .lookup = kms::KeyLookup::kIdOrArn,
              .action = "kms:UntagResource",
              .state = kms::StateRule::kNotPendingDeletion}},
    .effect = Effect::kWrite,
    .weight = Weight::kHeavy,
    .errors = {ErrorCode::kKmsInternal, ErrorCode::kNotFound, ErrorCode::kInvalidArn,
               ErrorCode::kKmsInvalidState, ErrorCode::kTag},
    .handler = handled_by<untag_resource>,
};

}  // namespace keyhold::api

//= https://docs.aws.amazon.com/kms/latest/APIReference/API_TagResource.html
#include "api/handler.h"
#include "api/members.h"
#include "api/tags.h"

namespace keyhold::api {
namespace {

struct Request {
  std::string key_id;
  std::vector<Tag> tags;

  static constexpr auto shape() {
    return members(required("KeyId", &Request::key_id, kKeyId.in_audit()),
                   required("Tags", &Request::tags, Rule{}.in_audit()));
  }
};

Result<void> tag_resource(Context& context, const Request& in) {
  return context.service().tag_key(context.key(), from_wire(in.tags));
}

}  // namespace

constinit const Operation rows::kTagResource = {
    .name = "TagResource",
    .keys = {{.member = "KeyId",
              .lookup = kms::KeyLookup::kIdOrArn,
              .action = "kms:TagResource",
              .state = kms::StateRule::kNotPendingDeletion}},
    .effect = Effect::kWrite,
    .weight = Weight::kHeavy,
    .errors = {ErrorCode::kKmsInternal, ErrorCode::kNotFound, ErrorCode::kInvalidArn,
               ErrorCode::kKmsInvalidState, ErrorCode::kLimitExceeded, ErrorCode::kTag},
    .handler = handled_by<tag_resource>,
};

}  // namespace keyhold::api

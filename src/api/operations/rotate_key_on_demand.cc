//= https://docs.aws.amazon.com/kms/latest/APIReference/API_RotateKeyOnDemand.html
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

  static constexpr auto shape() {
    return members(optional("KeyId", &Response::key_id, kKeyId.in_audit()));
  }
};

Result<Response> rotate_key_on_demand(Context& context, const Request&) {
  TRY(context.service().rotate_on_demand(context.key()));
  return Response{context.key().arn()};
}

}  // namespace

constinit const Operation rows::kRotateKeyOnDemand = {
    .name = "RotateKeyOnDemand",
    .keys = {{.member = "KeyId",
              .lookup = kms::KeyLookup::kIdOrArn,
              .action = "kms:RotateKeyOnDemand",
              .state = kms::StateRule::kRotatedOnDemand}},
    .effect = Effect::kWrite,
    .weight = Weight::kHeavy,
    .errors = {ErrorCode::kNotFound, ErrorCode::kDisabled, ErrorCode::kInvalidArn,
               ErrorCode::kDependencyTimeout, ErrorCode::kKmsInternal, ErrorCode::kKmsInvalidState,
               ErrorCode::kUnsupportedOperation, ErrorCode::kLimitExceeded, ErrorCode::kConflict},
    .handler = handled_by<rotate_key_on_demand>,
};

}  // namespace keyhold::api

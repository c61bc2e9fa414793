//= https://docs.aws.amazon.com/kms/latest/APIReference/API_CancelKeyDeletion.html
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

Result<Response> cancel_key_deletion(Context& context, const Request&) {
  TRY(context.service().cancel_deletion(context.key()));
  return Response{context.key().arn()};
}

}  // namespace

constinit const Operation rows::kCancelKeyDeletion = {
    .name = "CancelKeyDeletion",
    .keys = {{.member = "KeyId",
              .lookup = kms::KeyLookup::kIdOrArn,
              .action = "kms:CancelKeyDeletion",
              .state = kms::StateRule::kPendingDeletion}},
    .effect = Effect::kWrite,
    .weight = Weight::kHeavy,
    .errors = {ErrorCode::kNotFound, ErrorCode::kInvalidArn, ErrorCode::kDependencyTimeout,
               ErrorCode::kKmsInternal, ErrorCode::kKmsInvalidState},
    .handler = handled_by<cancel_key_deletion>,
};

}  // namespace keyhold::api

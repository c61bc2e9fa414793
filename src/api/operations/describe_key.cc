//= https://docs.aws.amazon.com/kms/latest/APIReference/API_DescribeKey.html
#include "api/handler.h"
#include "api/key_metadata.h"
#include "api/members.h"

namespace keyhold::api {
namespace {

struct Request {
  std::string key_id;
  std::vector<std::string> grant_tokens;

  static constexpr auto shape() {
    return members(required("KeyId", &Request::key_id, kKeyId.in_audit()),
                   optional("GrantTokens", &Request::grant_tokens, kGrantTokens));
  }
};

struct Response {
  KeyMetadata key_metadata;

  static constexpr auto shape() {
    return members(optional("KeyMetadata", &Response::key_metadata));
  }
};

Result<Response> describe_key(Context& context, const Request&) {
  note_custody(context, context.key());
  return Response{key_metadata(context.service(), context.key())};
}

}  // namespace

constinit const Operation rows::kDescribeKey = {
    .name = "DescribeKey",
    .keys = {{.member = "KeyId",
              .lookup = kms::KeyLookup::kIdArnOrAlias,
              .action = "kms:DescribeKey",
              .grant_operation = "DescribeKey",
              .state = kms::StateRule::kAnyState}},
    .errors = {ErrorCode::kNotFound, ErrorCode::kInvalidArn, ErrorCode::kDependencyTimeout,
               ErrorCode::kKmsInternal},
    .handler = handled_by<describe_key>,
};

}  // namespace keyhold::api

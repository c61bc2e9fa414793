//= https://docs.aws.amazon.com/kms/latest/APIReference/API_GetParametersForImport.html
#include "api/handler.h"
#include "api/members.h"

namespace keyhold::api {
namespace {

struct Request {
  std::string key_id;
  std::string wrapping_algorithm;
  std::string wrapping_key_spec;

  static constexpr auto shape() {
    return members(
        required("KeyId", &Request::key_id, kKeyId.in_audit()),
        required("WrappingAlgorithm", &Request::wrapping_algorithm, kWrappingAlgorithm.in_audit()),
        required("WrappingKeySpec", &Request::wrapping_key_spec, kWrappingKeySpec.in_audit()));
  }
};

struct Response {
  Bytes import_token;
  std::string key_id;
  TimePoint parameters_valid_to;
  Bytes public_key;

  static constexpr auto shape() {
    return members(optional("ImportToken", &Response::import_token, kImportToken),
                   optional("KeyId", &Response::key_id, kKeyId),
                   optional("ParametersValidTo", &Response::parameters_valid_to),
                   optional("PublicKey", &Response::public_key, kPlaintext));
  }
};

Result<Response> get_parameters_for_import(Context& context, const Request& in) {
  // RSAES_PKCS1_V1_5, which AWS has ended, and the algorithms of other Regions.
  const auto algorithm = parse_word<WrappingAlgorithm>(in.wrapping_algorithm);
  if (!algorithm) {
    return Error(ErrorCode::kUnsupportedOperation,
                 "WrappingAlgorithm " + in.wrapping_algorithm + " is not supported.");
  }
  if (in.wrapping_key_spec == "SM2") {
    return Error(ErrorCode::kUnsupportedOperation,
                 "WrappingKeySpec " + in.wrapping_key_spec + " is not supported.");
  }
  const KeySpec spec = parse_word<KeySpec>(in.wrapping_key_spec).value();
  TRY_ASSIGN(auto parameters, context.service().import_parameters(context.key(), spec, *algorithm));
  return Response{.import_token = std::move(parameters.import_token),
                  .key_id = context.key().arn(),
                  .parameters_valid_to = parameters.valid_to,
                  .public_key = std::move(parameters.public_key)};
}

}  // namespace

constinit const Operation rows::kGetParametersForImport = {
    .name = "GetParametersForImport",
    .keys = {{.member = "KeyId",
              .lookup = kms::KeyLookup::kIdOrArn,
              .action = "kms:GetParametersForImport",
              .origin = KeyOrigin::kExternal,
              .state = kms::StateRule::kNotPendingDeletion}},
    .weight = Weight::kHeavy,
    .errors = {ErrorCode::kInvalidArn, ErrorCode::kUnsupportedOperation,
               ErrorCode::kDependencyTimeout, ErrorCode::kNotFound, ErrorCode::kKmsInternal,
               ErrorCode::kKmsInvalidState},
    .handler = handled_by<get_parameters_for_import>,
};

}  // namespace keyhold::api

//= https://docs.aws.amazon.com/kms/latest/APIReference/API_GenerateRandom.html
#include "api/handler.h"
#include "api/members.h"

namespace keyhold::api {
namespace {

struct Request {
  std::optional<std::int64_t> number_of_bytes;
  std::optional<std::string> custom_key_store_id;
  std::optional<RecipientInfo> recipient;

  static constexpr auto shape() {
    return members(optional("NumberOfBytes", &Request::number_of_bytes, kNumberOfBytes),
                   optional("CustomKeyStoreId", &Request::custom_key_store_id,
                            kCustomKeyStoreId.refused(kCustomKeyStoresRefusal)),
                   optional("Recipient", &Request::recipient, kRecipient));
  }

  Result<void> complete() {
    if (number_of_bytes) return {};
    return Error(ErrorCode::kValidation, "NumberOfBytes is required.");
  }
};

struct Response {
  Secret plaintext;

  static constexpr auto shape() {
    return members(optional("Plaintext", &Response::plaintext, kPlaintext));
  }
};

Result<Response> generate_random(Context& context, const Request& in) {
  const auto size = static_cast<std::size_t>(*in.number_of_bytes);
  TRY_ASSIGN(Secret plaintext, context.service().random(size));
  return Response{std::move(plaintext)};
}

}  // namespace

constinit const Operation rows::kGenerateRandom = {
    .name = "GenerateRandom",
    .account_action = "kms:GenerateRandom",
    .errors = {ErrorCode::kDependencyTimeout, ErrorCode::kKmsInternal,
               ErrorCode::kUnsupportedOperation, ErrorCode::kCustomKeyStoreNotFound},
    .handler = handled_by<generate_random>,
};

}  // namespace keyhold::api

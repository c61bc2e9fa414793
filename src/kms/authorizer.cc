#include "kms/authorizer.h"

namespace keyhold::kms {

Result<void> Authorizer::authorize(const AccessRequest& request) const {
  if (request.key != nullptr && request.key->record().account != request.account) {
    return foreign_resource_access_denied(request.principal_arn, request.action);
  }
  if (!request.grant_tokens.empty()) {
    return Error(ErrorCode::kInvalidGrantToken, "The specified grant token is not valid.");
  }
  return {};
}

Error foreign_resource_access_denied(std::string_view principal_arn, std::string_view action) {
  std::string text = "User: ";
  text.append(principal_arn).append(" is not authorized to perform: ").append(action);
  text.append(
      " on this resource because the resource does not exist in this Region, no resource-based "
      "policies allow access, or a resource-based policy explicitly denies access");
  return Error(ErrorCode::kAccessDenied, std::move(text));
}

Error ciphertext_access_denied() {
  return Error(ErrorCode::kAccessDenied,
               "The ciphertext refers to a customer master key that does not exist, does not exist "
               "in this region, or you are not allowed to access.");
}

}  // namespace keyhold::kms

#include "api/operations/ciphertext_request.h"

#include "api/shape.h"

namespace keyhold::api {

Result<void> check_ciphertext_request(const CiphertextRequest& request) {
  // The only modifier there is: IGNORE_CIPHERTEXT.
  const bool ignores_ciphertext = !request.dry_run_modifiers.empty();
  if (ignores_ciphertext && !request.dry_run.value_or(false)) {
    return Error(ErrorCode::kValidation,
                 "DryRunModifiers can be specified only when DryRun is true.");
  }
  if (ignores_ciphertext && !request.key_id) {
    return Error(ErrorCode::kValidation, std::string(request.key_id_member) +
                                             " is required when DryRunModifiers contains "
                                             "IGNORE_CIPHERTEXT.");
  }
  if (!ignores_ciphertext && !request.ciphertext_blob) return absent_member("CiphertextBlob");
  return {};
}

}  // namespace keyhold::api

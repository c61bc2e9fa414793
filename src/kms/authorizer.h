// Who may do what to which key. The order of AWS's evaluation is the developer guide's
// "Troubleshooting key access"; of it there is, so far, what needs no policy: a principal of an
// account may do everything to the keys of that account, and nobody else anything.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "kms/key.h"

namespace keyhold::kms {

/// What is asked. Views live as long as the question.
struct AccessRequest {
  std::string_view principal_arn;
  std::string_view account;  ///< the principal's
  std::string_view action;   ///< `kms:Encrypt`
  /// The word by which a grant would allow it; empty: none does.
  std::string_view grant_operation = {};
  const Key* key = nullptr;  ///< null: the action has no key, its resource is `*`
  std::span<const std::string> grant_tokens = {};
};

class Authorizer {
 public:
  /// kAccessDenied with AWS's text; kInvalidGrantToken for a grant token, since nothing issues any.
  Result<void> authorize(const AccessRequest& request) const;
};

/// For a key of another account, whether it exists or not.
Error foreign_resource_access_denied(std::string_view principal_arn, std::string_view action);

/// For a ciphertext whose key is not in the caller's account and region, or not allowed to them.
Error ciphertext_access_denied();

}  // namespace keyhold::kms

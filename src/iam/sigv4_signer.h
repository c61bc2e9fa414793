// The client's side of Signature Version 4.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/secret.h"
#include "iam/signed_request.h"

namespace keyhold::iam {

/// The value of the Authorization header for a request, which must have Host and X-Amz-Date headers
/// (kValidation if it has not). Every header given is signed, so leave out those that a proxy may
/// change. An X-Amz-Content-Sha256 header is taken as the body's hash, as AWS's clients do.
Result<std::string> sign(const SignedRequest& request, std::string_view access_key_id,
                         const Secret& secret_access_key, std::string_view region,
                         std::string_view service = "kms");

}  // namespace keyhold::iam

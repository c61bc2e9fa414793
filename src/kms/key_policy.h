// Key policies: the one policy of a KMS key, and the default one (developer guide, "Key policies in
// AWS KMS").
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "iam/policy_document.h"
#include "store/store.h"

namespace keyhold::kms {

using KeyPolicyPtr = std::shared_ptr<const iam::PolicyDocument>;

/// The only name that a key policy has.
inline constexpr std::string_view kPolicyName = "default";

/// The text of the policy that a key has when it is given none: it leaves everything to the IAM
/// policies of the account.
std::string default_policy_text(std::string_view account);

/// The policy's text as GetKeyPolicy answers it: what was put, to the letter, or the default.
std::string policy_text(const store::KeyRecord& record);

/// kMalformedPolicyDocument or kLimitExceeded for a text that is no key policy.
Result<KeyPolicyPtr> compile_policy(std::string_view text);

/// The policy of a stored key. One that cannot be read any more denies everything to everybody.
KeyPolicyPtr compile_policy(const store::KeyRecord& record);

}  // namespace keyhold::kms

// The members and the rule that the operations on key policies share.
#pragma once

#include <string_view>

#include "api/members.h"
#include "base/result.h"
#include "kms/key_policy.h"

namespace keyhold::api {

inline constexpr Rule kPolicy{.min = 1, .max = 131072, .pattern = Pattern::kPolicy};
inline constexpr Rule kPolicyNameRule{.min = 1, .max = 128, .pattern = Pattern::kPolicyName};
inline constexpr Rule kPolicyNames{.element = &kPolicyNameRule};

inline Result<void> check_policy_name(std::string_view name) {
  if (name == kms::kPolicyName) return {};
  return Error(ErrorCode::kNotFound, "No such policy exists");
}

}  // namespace keyhold::api

// ARNs of principals, as grants name them.
#pragma once

#include <string>
#include <string_view>

namespace keyhold::kms {

/// Whether the text is the ARN of something that can be granted to: an account's root, a user, a
/// role, a session of a role or a federated user. Groups and organisations are none.
bool is_principal_arn(std::string_view text);

/// The account in a principal's ARN; empty if the text is none.
std::string_view account_of(std::string_view principal_arn);

/// `arn:aws:iam::<account>:root`; the partition is that of `like`, another principal's ARN.
std::string root_arn(std::string_view account, std::string_view like);

}  // namespace keyhold::kms

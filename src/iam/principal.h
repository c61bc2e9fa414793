// Who is calling: a principal of an account, in IAM's terms.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace keyhold::iam {

enum class PrincipalType : std::uint8_t { kRoot, kUser };

/// Bounds of IAM names (IAM API reference, "CreateUser").
inline constexpr std::size_t kMaxUserName = 64;
inline constexpr std::size_t kMaxPath = 512;  ///< with both its slashes
inline constexpr std::size_t kAccountDigits = 12;

struct Principal {
  std::string account;  ///< twelve digits
  PrincipalType type = PrincipalType::kUser;
  std::string path;  ///< `/`, or `/division/team/`; empty for root
  std::string name;  ///< the user's name without its path; empty for root
  std::string arn;   ///< `arn:aws:iam::<account>:user/<name>`, or `…:root`
  std::string id;    ///< `AIDA…` of a user, the account of root

  bool operator==(const Principal&) const = default;
};

bool is_account(std::string_view text);

/// The principal of `account` that `text` names: `root`, `user/<name>`, or with a path
/// `user/<division>/<team>/<name>`. kValidation with a sentence if IAM would not allow the name.
///
/// Its id depends on account, path and name alone, so it is the same after a restart and on every
/// node. Unlike IAM's, it comes back when a user is removed and made again.
Result<Principal> parse_principal(std::string_view text, std::string_view account);

}  // namespace keyhold::iam

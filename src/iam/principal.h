// Who is calling: a principal of an account, in IAM's terms.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace keyhold::iam {

enum class PrincipalType : std::uint8_t {
  kRoot,  ///< the account itself
  kUser,
  kAssumedRole,  ///< a session of a role
  kWebIdentity,  ///< somebody that an OpenID provider vouches for, before they assume a role
  kRole,         ///< a role itself; it is its sessions that call
  kGroup,        ///< never calls
};

/// Bounds of IAM names (IAM API reference, "CreateUser", "CreateGroup").
inline constexpr std::size_t kMaxUserName = 64;  ///< and of a role's
inline constexpr std::size_t kMaxGroupName = 128;
inline constexpr std::size_t kMaxPath = 512;  ///< with both its slashes
inline constexpr std::size_t kAccountDigits = 12;

struct Tag {
  std::string key;
  std::string value;

  bool operator==(const Tag&) const = default;
};

struct Principal {
  std::string account;  ///< twelve digits; empty for a web identity
  PrincipalType type = PrincipalType::kUser;
  std::string path;  ///< `/`, or `/division/team/`, of the user or the role; empty for root
  std::string name;  ///< the user's or the role's name without its path; empty for root
  /// `arn:aws:iam::<account>:user/<name>`, `…:root`, or
  /// `arn:aws:sts::<account>:assumed-role/<role>/<session>`; empty for a web identity.
  std::string arn;
  std::string id;  ///< `AIDA…` of a user, the account of root, `AROA…:<session>` of a session
  std::string role_arn{};   ///< of a session: `arn:aws:iam::<account>:role/<name>`
  std::string provider{};   ///< of a web identity, and of a session that one assumed: its issuer
  std::vector<Tag> tags{};  ///< the principal's own, and a session's over them

  bool operator==(const Principal&) const = default;
};

bool is_account(std::string_view text);

/// The principal of `account` that `text` names: `root`, `user/<name>`, or with a path
/// `user/<division>/<team>/<name>`. kValidation with a sentence if IAM would not allow the name.
///
/// Its id depends on account, path and name alone, so it is the same after a restart and on every
/// node. Unlike IAM's, it comes back when a user is removed and made again.
Result<Principal> parse_principal(std::string_view text, std::string_view account);

/// The same of an identity that an operator defines: `user/<name>`, `role/<name>`, `group/<name>`,
/// each with a path or without. The id of a role begins with `AROA`, of a group with `AGPA`.
Result<Principal> parse_identity(std::string_view text, std::string_view account);

/// A session of `role`, which parse_identity() made.
Principal session_principal(const Principal& role, std::string_view session_name);

/// Whether the text can name a session (AssumeRole, "RoleSessionName").
bool is_session_name(std::string_view text);

}  // namespace keyhold::iam

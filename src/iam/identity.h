// Users, groups and roles: how they are written down, and how they are held ready.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "iam/evaluation.h"
#include "iam/principal.h"

namespace keyhold::iam {

enum class IdentityKind : std::uint8_t { kUser, kGroup, kRole };

std::string_view to_string(IdentityKind kind);
std::optional<IdentityKind> parse_identity_kind(std::string_view word);

/// Bounds of a session (AssumeRole, "DurationSeconds", and a role's "MaxSessionDuration").
inline constexpr std::chrono::seconds kShortestSession{900};
inline constexpr std::chrono::seconds kDefaultSession{3600};
inline constexpr std::chrono::seconds kLongestSession{43200};
/// Quotas of IAM ("IAM and AWS STS quotas").
inline constexpr std::size_t kMaxTags = 50;
inline constexpr std::size_t kMaxTagKey = 128;
inline constexpr std::size_t kMaxTagValue = 256;
inline constexpr std::size_t kMaxPolicies = 20;

/// A policy of an identity, as it was written.
struct NamedPolicy {
  std::string name;
  std::string document;  ///< JSON

  bool operator==(const NamedPolicy&) const = default;
};

/// An identity as an operator writes it down and as it is kept.
struct IdentityDefinition {
  IdentityKind kind = IdentityKind::kUser;
  std::string account;
  std::string path = "/";
  std::string name;
  std::vector<Tag> tags{};                             ///< of users and roles
  std::vector<NamedPolicy> policies{};                 ///< identity policies
  std::optional<std::string> boundary{};               ///< of users and roles
  std::optional<std::string> trust{};                  ///< of roles: who may assume it
  std::chrono::seconds max_session = kDefaultSession;  ///< of roles
  std::vector<std::string> groups{};                   ///< of users, of the same account

  bool operator==(const IdentityDefinition&) const = default;
};

/// Reads the JSON form: an object with the members `type`, `account`, `name`, and, as far as they
/// apply, `path`, `tags` (an object), `policies` (an object from names to documents), `boundary`,
/// `trustPolicy`, `maxSessionDuration` and `groups`. `account` may be left out where a default is
/// given. kValidation with a sentence for anything else; policies are not looked into.
Result<IdentityDefinition> parse_definition(const json::Value& value,
                                            std::string_view default_account);

/// The JSON form, on one line. Policies are JSON values in it, so their white space is lost.
std::string render_definition(const IdentityDefinition& definition);

/// An identity, its policies ready to be evaluated.
struct Identity {
  IdentityKind kind = IdentityKind::kUser;
  Principal principal;  ///< of a user; of a role or a group account, path, name, and its own ARN
  std::vector<Tag> tags;
  std::vector<PolicyPtr> policies;  ///< its own
  PolicyPtr boundary;               ///< null: nothing bounds it
  PolicyPtr trust;                  ///< null: nobody may assume it
  std::chrono::seconds max_session = kDefaultSession;
  std::vector<std::string> groups;
  std::vector<PolicyPtr> effective_policies;  ///< its own and its groups'
};

/// kValidation for names that IAM would not allow; kMalformedPolicyDocument or kLimitExceeded, with
/// the policy's name before the sentence, for its policies. `effective_policies` is its own.
Result<Identity> compile_identity(const IdentityDefinition& definition, KnowsKey knows_key);

}  // namespace keyhold::iam

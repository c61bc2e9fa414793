// The kinds of policy documents, and what each may have in it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace keyhold::iam {

enum class DocumentKind : std::uint8_t {
  kResourcePolicy,       ///< of one resource: says who may use it
  kIdentityPolicy,       ///< of a user, a group or a role: says what its principal may use
  kPermissionsBoundary,  ///< of a user or a role: the most that its identity policies can give
  kSessionPolicy,        ///< of a session: the most that it can do of what its role may
  kTrustPolicy,          ///< of a role: says who may assume it
};

enum class Presence : std::uint8_t { kRequired, kForbidden };

/// Which values a Resource element may have.
enum class ResourceValues : std::uint8_t {
  kStar,  ///< `*`: the resource that the policy belongs to
  kArns,  ///< `*` and ARNs with wildcards
  kNone,  ///< the element is forbidden
};

/// Which characters a Sid may have.
enum class SidCharacters : std::uint8_t { kAlphanumeric, kAny };

/// A row of the table of kinds.
struct DocumentRules {
  DocumentKind kind;
  std::string_view name;     ///< `resource-based policy`, as AWS's sentences say it
  std::string_view article;  ///< `a` or `an`
  Presence principal;
  ResourceValues resource;
  SidCharacters sid;
  std::size_t max_bytes;
};

const DocumentRules& rules_of(DocumentKind kind);

}  // namespace keyhold::iam

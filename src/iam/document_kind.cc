#include "iam/document_kind.h"

#include <array>

namespace keyhold::iam {
namespace {

// Sizes: a key policy has at most 32 KB (KMS developer guide, "Resource quotas"). IAM's quotas
// ("IAM and AWS STS quotas") are 10,240 characters for the policies inside a role, 6,144 for a
// managed policy, which is what a boundary is, 4,096 for a trust policy at its highest, and 2,048
// for a session policy (AssumeRole).
// Elements: IAM user guide, "IAM JSON policy elements reference". Since August 2025 KMS refuses a
// key policy that names any resource but `*`.
constexpr std::array<DocumentRules, 5> kRules{{
    {DocumentKind::kResourcePolicy, "resource-based policy", "a", Presence::kRequired,
     ResourceValues::kStar, SidCharacters::kAny, 32768},
    {DocumentKind::kIdentityPolicy, "identity-based policy", "an", Presence::kForbidden,
     ResourceValues::kArns, SidCharacters::kAlphanumeric, 10240},
    {DocumentKind::kPermissionsBoundary, "permissions boundary", "a", Presence::kForbidden,
     ResourceValues::kArns, SidCharacters::kAlphanumeric, 6144},
    {DocumentKind::kSessionPolicy, "session policy", "a", Presence::kForbidden,
     ResourceValues::kArns, SidCharacters::kAlphanumeric, 2048},
    {DocumentKind::kTrustPolicy, "resource-based policy", "a", Presence::kRequired,
     ResourceValues::kNone, SidCharacters::kAlphanumeric, 4096},
}};

constexpr bool in_order() {
  for (std::size_t i = 0; i < kRules.size(); ++i) {
    if (static_cast<std::size_t>(kRules[i].kind) != i) return false;
  }
  return true;
}
static_assert(in_order());

}  // namespace

const DocumentRules& rules_of(DocumentKind kind) { return kRules[static_cast<std::size_t>(kind)]; }

}  // namespace keyhold::iam

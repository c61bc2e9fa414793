// Who a Principal or NotPrincipal element names.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "iam/document_kind.h"
#include "iam/principal.h"

namespace keyhold::iam {

/// How a statement of a resource-based policy names the caller; the later, the closer. It decides
/// what else must allow the call ("Policy evaluation logic" of the IAM user guide).
enum class PrincipalMatch : std::uint8_t {
  kNone,
  kAccount,   ///< the caller's account: its identity policies decide
  kIdentity,  ///< everybody, or the caller's role: boundaries and session policies still limit it
  kExact,     ///< this user or this session
};

class PrincipalPattern {
 public:
  /// One value of the element, under the type `AWS`, `Service` or `Federated`.
  /// kMalformedPolicyDocument with AWS's sentence for what names no principal that a policy of this
  /// kind can have, wildcards inside of names among it.
  static Result<PrincipalPattern> parse(std::string_view type, std::string_view value,
                                        DocumentKind kind);

  PrincipalMatch match(const Principal& principal) const;

  bool is_everyone() const { return form_ == Form::kEveryone; }

  /// The ARN of the user, role or session that it names; empty for all other patterns.
  std::string_view arn() const;

 private:
  enum class Form : std::uint8_t {
    kEveryone,
    kAccount,
    kUser,
    kRole,
    kSession,
    kService,
    kFederated
  };

  Form form_ = Form::kEveryone;
  std::string value_;  ///< account, ARN, or name of the service or provider
};

/// kMalformedPolicyDocument, with AWS's sentence for a principal that is none.
Error invalid_principal();

/// The Principal or NotPrincipal element of a statement.
class PrincipalElement {
 public:
  enum class Sense : std::uint8_t { kListed, kNotListed };

  PrincipalElement() = default;
  PrincipalElement(Sense sense, std::vector<PrincipalPattern> patterns)
      : sense_(sense), patterns_(std::move(patterns)) {}

  PrincipalMatch match_allow(const Principal& principal) const;
  /// NotPrincipal in a Deny spares nobody but those it names themselves: naming the account or the
  /// role spares neither its users nor its sessions.
  PrincipalMatch match_deny(const Principal& principal) const;

  const std::vector<PrincipalPattern>& patterns() const { return patterns_; }

 private:
  PrincipalMatch closest(const Principal& principal) const;

  Sense sense_ = Sense::kListed;
  std::vector<PrincipalPattern> patterns_;
};

}  // namespace keyhold::iam

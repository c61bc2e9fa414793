// What several policy documents say to a request, together.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "iam/policy_document.h"
#include "iam/request.h"

namespace keyhold::iam {

using PolicyPtr = std::shared_ptr<const PolicyDocument>;

/// The documents that apply to a request. Pointers and spans live as long as the decision is read.
struct PolicySet {
  /// Of the resource. With one, nothing is allowed that it does not allow or leave to the account;
  /// null: there is none, and the identity policies decide.
  const PolicyDocument* resource = nullptr;
  std::span<const PolicyPtr> identity = {};  ///< the principal's own and its groups'
  const PolicyDocument* boundary = nullptr;  ///< null: nothing bounds it
  std::span<const PolicyPtr> session = {};   ///< empty: the session does what its role may
};

enum class Verdict : std::uint8_t {
  kAllow,
  kExplicitDeny,
  kImplicitDeny,  ///< nothing allows it
};

/// The verdict and what it rests on.
struct Decision {
  Verdict verdict = Verdict::kImplicitDeny;
  /// Of an allow or an explicit deny: the kind of the document that decided. Of an implicit deny:
  /// the kind in which an allow is missing.
  DocumentKind kind = DocumentKind::kIdentityPolicy;
  /// The document and the statement that decided; null where none did: in an implicit deny, and
  /// where root is allowed because its account is.
  const PolicyDocument* document = nullptr;
  const Statement* statement = nullptr;
  /// The resource's policy left it to the account, by this statement; null if it did not.
  const Statement* delegation = nullptr;
  /// The statement denies because something in it is not understood.
  bool not_understood = false;

  bool allowed() const { return verdict == Verdict::kAllow; }
};

/// A pure function of documents and request.
///
/// - A statement with Deny in any document denies. If something in it is not understood (a context
///   key that the service does not know, a value of the wrong type), it denies as well, and an
///   Allow does not allow.
/// - In the resource's own account it is allowed if its policy allows the user or the session by
///   name; or allows its role or everybody, within boundary and session policies; or allows the
///   account, and identity policies, boundary and session policies all allow it.
/// - For a principal of another account the resource's policy and the principal's policies must
///   both allow it.
/// - Root needs no identity policy, and nothing bounds it.
Decision evaluate(const PolicySet& policies, const Request& request);

/// How AWS's sentence goes on after the action and the resource: `because no identity-based policy
/// allows the kms:Encrypt action`, `with an explicit deny in a resource-based policy`. For a
/// decision that does not allow.
std::string denial_reason(const Decision& decision, std::string_view action);

/// The deciding statement in words, for an explanation: `statement "Admins" (0) of policy "p"`.
std::string describe(const Decision& decision);

}  // namespace keyhold::iam

// A policy document, parsed, checked and made ready to be evaluated.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "iam/condition.h"
#include "iam/document_kind.h"
#include "iam/policy_text.h"
#include "iam/principal_pattern.h"
#include "iam/request.h"

namespace keyhold::iam {

enum class PolicyEffect : std::uint8_t { kAllow, kDeny };

/// Whether an element lists what it is about (Action) or what it is not about (NotAction).
enum class ListSense : std::uint8_t { kListed, kNotListed };

struct Statement {
  std::string sid;        ///< empty: it has none
  std::size_t index = 0;  ///< in the document, from 0
  PolicyEffect effect = PolicyEffect::kDeny;
  PrincipalElement principals;  ///< of documents that have principals
  ListSense action_sense = ListSense::kListed;
  std::vector<WildcardPattern> actions;  ///< in lower case
  ListSense resource_sense = ListSense::kListed;
  std::vector<PolicyText> resources;  ///< empty where the kind has none: any
  std::vector<Condition> conditions;
};

class PolicyDocument {
 public:
  /// Reads a document of that kind. `name` is what an explanation calls it. Everything in it must
  /// be understood: unknown elements, operators and context keys are errors, as are values of the
  /// wrong type.
  ///
  /// Errors: kMalformedPolicyDocument, with AWS's sentence where it is known and without one for
  /// what is not JSON; kLimitExceeded for a text longer than the kind allows.
  static Result<PolicyDocument> parse(std::string_view text, DocumentKind kind, std::string name,
                                      KnowsKey knows_key = nullptr);

  DocumentKind kind() const { return kind_; }
  const std::string& name() const { return name_; }
  const std::vector<Statement>& statements() const { return statements_; }

 private:
  PolicyDocument(DocumentKind kind, std::string name) : kind_(kind), name_(std::move(name)) {}

  DocumentKind kind_;
  std::string name_;
  std::vector<Statement> statements_;
};

}  // namespace keyhold::iam

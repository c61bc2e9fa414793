#include "iam/evaluation.h"

#include <algorithm>

#include "iam/ascii.h"

namespace keyhold::iam {
namespace {

/// A request and what of it is the same for all statements.
struct Question {
  const Request& request;
  std::string action;  ///< in lower case
};

/// What a document says: the statement that denies, and the one that allows.
struct Outcome {
  const Statement* deny = nullptr;
  bool deny_not_understood = false;
  const Statement* allow = nullptr;              ///< other than by naming the account
  PrincipalMatch match = PrincipalMatch::kNone;  ///< of `allow`
  const Statement* delegation = nullptr;         ///< allows the account
};

Truth matches_action(const Statement& statement, const Question& question) {
  const bool listed =
      std::any_of(statement.actions.begin(), statement.actions.end(),
                  [&](const WildcardPattern& pattern) { return pattern.matches(question.action); });
  return truth_of(listed == (statement.action_sense == ListSense::kListed));
}

Truth matches_resource(const Statement& statement, const Question& question, DocumentKind kind) {
  if (statement.resources.empty()) return Truth::kYes;
  Truth listed = Truth::kNo;
  for (const PolicyText& pattern : statement.resources) {
    listed = std::max(listed, pattern.matches(question.request.resource, question.request, kind));
  }
  return statement.resource_sense == ListSense::kListed ? listed : !listed;
}

Truth applies(const Statement& statement, const Question& question, DocumentKind kind) {
  Truth truth = matches_action(statement, question);
  if (truth == Truth::kNo) return truth;
  truth = std::min(truth, matches_resource(statement, question, kind));
  for (const Condition& condition : statement.conditions) {
    if (truth == Truth::kNo) break;
    truth = std::min(truth, condition.holds(question.request, kind));
  }
  return truth;
}

PrincipalMatch match_principal(const PolicyDocument& document, const Statement& statement,
                               const Question& question) {
  // A document without principals belongs to the caller.
  if (rules_of(document.kind()).principal == Presence::kForbidden) return PrincipalMatch::kExact;
  const Principal& principal = question.request.principal;
  return statement.effect == PolicyEffect::kDeny ? statement.principals.match_deny(principal)
                                                 : statement.principals.match_allow(principal);
}

Outcome examine(const PolicyDocument& document, const Question& question) {
  Outcome outcome;
  for (const Statement& statement : document.statements()) {
    const PrincipalMatch match = match_principal(document, statement, question);
    if (match == PrincipalMatch::kNone) continue;
    const Truth truth = applies(statement, question, document.kind());
    if (truth == Truth::kNo) continue;
    if (statement.effect == PolicyEffect::kDeny) {
      outcome.deny = &statement;
      outcome.deny_not_understood = truth == Truth::kUnknown;
      return outcome;
    }
    if (truth == Truth::kUnknown) continue;
    if (match == PrincipalMatch::kAccount) {
      if (outcome.delegation == nullptr) outcome.delegation = &statement;
    } else if (match > outcome.match) {
      outcome.allow = &statement;
      outcome.match = match;
    }
  }
  return outcome;
}

/// Several documents of one kind, any of which allows.
struct Group {
  DocumentKind kind = DocumentKind::kIdentityPolicy;
  const PolicyDocument* document = nullptr;  ///< of `outcome`
  Outcome outcome;

  bool allows() const { return outcome.allow != nullptr; }
};

Group examine_all(DocumentKind kind, std::span<const PolicyPtr> documents,
                  const Question& question) {
  Group group{kind, nullptr, {}};
  for (const PolicyPtr& document : documents) {
    const Outcome outcome = examine(*document, question);
    if (outcome.deny != nullptr || (outcome.allow != nullptr && !group.allows())) {
      group.document = document.get();
      group.outcome = outcome;
    }
    if (outcome.deny != nullptr) break;
  }
  return group;
}

Group examine_one(DocumentKind kind, const PolicyDocument* document, const Question& question) {
  if (document == nullptr) return {kind, nullptr, {}};
  return {kind, document, examine(*document, question)};
}

Decision explicit_deny(const Group& group) {
  return {Verdict::kExplicitDeny, group.kind, group.document,
          group.outcome.deny,     nullptr,    group.outcome.deny_not_understood};
}

Decision allowed_by(const Group& group, const Statement* delegation) {
  return {Verdict::kAllow, group.kind, group.document, group.outcome.allow, delegation, false};
}

Decision missing(DocumentKind kind, const Statement* delegation) {
  return {Verdict::kImplicitDeny, kind, nullptr, nullptr, delegation, false};
}

bool is_root(const Request& request) { return request.principal.type == PrincipalType::kRoot; }

/// The limits that only take away; nothing if they let the request through.
std::optional<Decision> stopped_by_limits(const PolicySet& policies, const Group& boundary,
                                          const Group& session, const Statement* delegation) {
  if (policies.boundary != nullptr && !boundary.allows()) {
    return missing(DocumentKind::kPermissionsBoundary, delegation);
  }
  if (!policies.session.empty() && !session.allows()) {
    return missing(DocumentKind::kSessionPolicy, delegation);
  }
  return std::nullopt;
}

}  // namespace

Decision evaluate(const PolicySet& policies, const Request& request) {
  const Question question{request, to_lower(request.action)};
  const Group resource = examine_one(
      policies.resource != nullptr ? policies.resource->kind() : DocumentKind::kResourcePolicy,
      policies.resource, question);
  const Group identity = examine_all(DocumentKind::kIdentityPolicy, policies.identity, question);
  const Group boundary =
      examine_one(DocumentKind::kPermissionsBoundary, policies.boundary, question);
  const Group session = examine_all(DocumentKind::kSessionPolicy, policies.session, question);
  for (const Group* group : {&resource, &identity, &boundary, &session}) {
    if (group->outcome.deny != nullptr) return explicit_deny(*group);
  }

  const Statement* delegation = resource.outcome.delegation;
  const bool own_account = request.principal.type == PrincipalType::kWebIdentity ||
                           request.principal.account == request.resource_account;
  if (policies.resource != nullptr) {
    if (!resource.allows() && delegation == nullptr) {
      return missing(resource.kind, nullptr);
    }
    if (own_account && resource.allows()) {
      if (resource.outcome.match != PrincipalMatch::kExact && !is_root(request)) {
        if (auto stop = stopped_by_limits(policies, boundary, session, nullptr)) return *stop;
      }
      return allowed_by(resource, nullptr);
    }
  } else if (!own_account) {
    return missing(DocumentKind::kResourcePolicy, nullptr);
  }

  if (is_root(request)) {
    Decision decision = allowed_by(resource, delegation);
    if (decision.statement == nullptr) decision.statement = delegation;
    return decision;
  }
  if (!identity.allows()) return missing(DocumentKind::kIdentityPolicy, delegation);
  if (auto stop = stopped_by_limits(policies, boundary, session, delegation)) return *stop;
  return allowed_by(identity, delegation);
}

std::string denial_reason(const Decision& decision, std::string_view action) {
  const DocumentRules& rules = rules_of(decision.kind);
  std::string text;
  if (decision.verdict == Verdict::kExplicitDeny) {
    text.append("with an explicit deny in ").append(rules.article).append(" ").append(rules.name);
    return text;
  }
  text.append("because no ").append(rules.name).append(" allows the ").append(action);
  return text.append(" action");
}

std::string describe(const Decision& decision) {
  if (decision.statement == nullptr) {
    return "no " + std::string(rules_of(decision.kind).name) + " allows it";
  }
  std::string text = "statement ";
  if (!decision.statement->sid.empty()) text += '"' + decision.statement->sid + "\" ";
  text += '(' + std::to_string(decision.statement->index) + ')';
  if (decision.document != nullptr) {
    text.append(" of ").append(rules_of(decision.document->kind()).name);
    text.append(" \"").append(decision.document->name()).append("\"");
  }
  if (decision.not_understood) text += ", in which a condition is not understood";
  return text;
}

}  // namespace keyhold::iam

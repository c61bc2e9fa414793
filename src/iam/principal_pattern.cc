#include "iam/principal_pattern.h"

#include <algorithm>

#include "iam/arn_parts.h"
#include "iam/ascii.h"
#include "iam/policy_text.h"

namespace keyhold::iam {
namespace {

bool is_plain(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return is_alphanumeric(c) || std::string_view("_+=,.@-/:").find(c) != std::string_view::npos;
  });
}

}  // namespace

Error invalid_principal() {
  return malformed_policy("Policy contains a statement with one or more invalid principals.");
}

Result<PrincipalPattern> PrincipalPattern::parse(std::string_view type, std::string_view value,
                                                 DocumentKind kind) {
  PrincipalPattern pattern;
  pattern.value_ = value;
  if (type == "Service") {
    if (!is_plain(value) || value.find('.') == std::string_view::npos) return invalid_principal();
    pattern.form_ = Form::kService;
    return pattern;
  }
  if (type == "Federated") {
    // Providers assume roles; they use no resources themselves.
    if (kind != DocumentKind::kTrustPolicy || !is_plain(value)) return invalid_principal();
    pattern.form_ = Form::kFederated;
    return pattern;
  }
  if (type != "AWS") return invalid_principal();
  if (value == "*") return pattern;
  if (is_account(value)) {
    pattern.form_ = Form::kAccount;
    return pattern;
  }
  const auto parts = split_arn(value);
  if (!parts || !is_plain(value)) return invalid_principal();
  const auto& [arn, partition, service, region, account, resource] = *parts;
  if (partition != "aws" || !region.empty() || !is_account(account)) return invalid_principal();
  const std::size_t slash = resource.find('/');
  const std::string_view resource_type = resource.substr(0, slash);
  if (service == "iam" && resource == "root") {
    pattern.form_ = Form::kAccount;
    pattern.value_ = account;
    return pattern;
  }
  if (slash == std::string_view::npos || resource.back() == '/') return invalid_principal();
  if (service == "iam" && (resource_type == "user" || resource_type == "role")) {
    pattern.form_ = resource_type == "user" ? Form::kUser : Form::kRole;
    return pattern;
  }
  if (service == "sts" && resource_type == "assumed-role") {
    const std::string_view role_and_session = resource.substr(slash + 1);
    const std::size_t between = role_and_session.find('/');
    if (between == std::string_view::npos || between == 0 ||
        role_and_session.find('/', between + 1) != std::string_view::npos) {
      return invalid_principal();
    }
    pattern.form_ = Form::kSession;
    return pattern;
  }
  return invalid_principal();
}

std::string_view PrincipalPattern::arn() const {
  const bool is_named = form_ == Form::kUser || form_ == Form::kRole || form_ == Form::kSession;
  return is_named ? std::string_view(value_) : std::string_view();
}

PrincipalMatch PrincipalPattern::match(const Principal& principal) const {
  const auto when = [](bool holds, PrincipalMatch match) {
    return holds ? match : PrincipalMatch::kNone;
  };
  switch (form_) {
    case Form::kEveryone:
      return PrincipalMatch::kIdentity;
    case Form::kAccount:
      return when(principal.account == value_, PrincipalMatch::kAccount);
    case Form::kUser:
      return when(principal.type == PrincipalType::kUser && principal.arn == value_,
                  PrincipalMatch::kExact);
    case Form::kRole:
      return when(principal.type == PrincipalType::kAssumedRole && principal.role_arn == value_,
                  PrincipalMatch::kIdentity);
    case Form::kSession:
      return when(principal.type == PrincipalType::kAssumedRole && principal.arn == value_,
                  PrincipalMatch::kExact);
    case Form::kFederated:
      return when(principal.type == PrincipalType::kWebIdentity && principal.provider == value_,
                  PrincipalMatch::kExact);
    case Form::kService:
      break;  // no AWS service calls here
  }
  return PrincipalMatch::kNone;
}

PrincipalMatch PrincipalElement::closest(const Principal& principal) const {
  PrincipalMatch best = PrincipalMatch::kNone;
  for (const PrincipalPattern& pattern : patterns_) {
    best = std::max(best, pattern.match(principal));
  }
  return best;
}

PrincipalMatch PrincipalElement::match_allow(const Principal& principal) const {
  const PrincipalMatch best = closest(principal);
  if (sense_ == Sense::kListed) return best;
  return best == PrincipalMatch::kNone ? PrincipalMatch::kIdentity : PrincipalMatch::kNone;
}

PrincipalMatch PrincipalElement::match_deny(const Principal& principal) const {
  const PrincipalMatch best = closest(principal);
  if (sense_ == Sense::kListed) return best;
  const bool named = best == PrincipalMatch::kExact ||
                     (best == PrincipalMatch::kAccount && principal.type == PrincipalType::kRoot) ||
                     std::any_of(patterns_.begin(), patterns_.end(),
                                 [](const auto& pattern) { return pattern.is_everyone(); });
  return named ? PrincipalMatch::kNone : PrincipalMatch::kIdentity;
}

}  // namespace keyhold::iam

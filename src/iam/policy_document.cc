#include "iam/policy_document.h"

#include <algorithm>
#include <functional>
#include <optional>

#include "base/json.h"
#include "iam/arn_parts.h"
#include "iam/ascii.h"

namespace keyhold::iam {
namespace {

using json::Value;

constexpr std::string_view kSyntaxErrors = "Syntax errors in policy.";

struct Reader {
  DocumentKind kind;
  const DocumentRules& rules;
  TextRules texts;
};

using Read = Result<void> (*)(const Reader& reader, const Value& value, Statement& statement);

/// An element of a statement. The two of a pair exclude each other.
struct Element {
  std::string_view name;
  Read read;
};

bool is_object(const Value& value) { return value.type() == Value::Type::kObject; }
bool is_array(const Value& value) { return value.type() == Value::Type::kArray; }

Result<std::string> read_string(const Value& value) {
  const auto text = value.string();
  if (!text) return malformed_policy(std::string(kSyntaxErrors));
  return std::string(*text);
}

/// A string or an array of strings.
Result<std::vector<std::string>> read_strings(const Value& value) {
  std::vector<std::string> texts;
  if (!is_array(value)) {
    TRY_ASSIGN(auto text, read_string(value));
    texts.push_back(std::move(text));
    return texts;
  }
  for (std::size_t i = 0; i < value.size(); ++i) {
    TRY_ASSIGN(auto text, read_string(value.element(i)));
    texts.push_back(std::move(text));
  }
  return texts;
}

/// A value of a condition: a string, or a number or a truth as JSON has it.
Result<std::string> read_condition_value(const Value& value) {
  if (const auto truth = value.boolean()) return std::string(*truth ? "true" : "false");
  if (const auto integer = value.integer()) return std::to_string(*integer);
  if (const auto number = value.number()) return std::to_string(*number);
  return read_string(value);
}

/// Calls `read` for each member until it fails.
Result<void> for_each_member(
    const Value& object,
    const std::function<Result<void>(std::string_view name, const Value& value)>& read) {
  Result<void> result;
  object.for_each_member([&](std::string_view name, Value value) {
    result = read(name, value);
    return static_cast<bool>(result);
  });
  return result;
}

Result<void> read_sid(const Reader& reader, const Value& value, Statement& statement) {
  TRY_ASSIGN(statement.sid, read_string(value));
  const bool allowed = reader.rules.sid == SidCharacters::kAny ||
                       std::all_of(statement.sid.begin(), statement.sid.end(), is_alphanumeric);
  if (allowed) return {};
  return malformed_policy(
      "Statement IDs (SID) must be alpha-numeric. Check that your input "
      "satisfies the regular expression [0-9A-Za-z]*");
}

Result<void> read_effect(const Reader&, const Value& value, Statement& statement) {
  TRY_ASSIGN(const auto effect, read_string(value));
  if (effect != "Allow" && effect != "Deny") {
    return malformed_policy("Invalid effect: " + effect);
  }
  statement.effect = effect == "Allow" ? PolicyEffect::kAllow : PolicyEffect::kDeny;
  return {};
}

Result<void> read_principals(const Reader& reader, const Value& value, Statement& statement,
                             PrincipalElement::Sense sense) {
  if (reader.rules.principal == Presence::kForbidden) {
    return malformed_policy("Policy document should not specify a principal.");
  }
  std::vector<PrincipalPattern> patterns;
  const auto add = [&](std::string_view type, const Value& values) -> Result<void> {
    TRY_ASSIGN(const auto texts, read_strings(values));
    for (const std::string& text : texts) {
      TRY_ASSIGN(auto pattern, PrincipalPattern::parse(type, text, reader.kind));
      patterns.push_back(std::move(pattern));
    }
    return {};
  };
  if (const auto everyone = value.string()) {
    if (*everyone != "*") {
      return malformed_policy("Policy contains a statement with one or more invalid principals.");
    }
    TRY(add("AWS", value));
  } else if (is_object(value)) {
    TRY(for_each_member(value, add));
  } else {
    return malformed_policy(std::string(kSyntaxErrors));
  }
  if (patterns.empty()) return malformed_policy("Policy contains a statement with no principal");
  statement.principals = PrincipalElement(sense, std::move(patterns));
  return {};
}

Result<void> read_principal(const Reader& reader, const Value& value, Statement& statement) {
  return read_principals(reader, value, statement, PrincipalElement::Sense::kListed);
}

Result<void> read_not_principal(const Reader& reader, const Value& value, Statement& statement) {
  return read_principals(reader, value, statement, PrincipalElement::Sense::kNotListed);
}

// `*`, or a vendor and a name: `kms:Encrypt`, `kms:*`.
bool is_action(std::string_view text) {
  if (text == "*") return true;
  const std::size_t colon = text.find(':');
  if (colon == 0 || colon == std::string_view::npos || colon + 1 == text.size()) return false;
  const std::string_view vendor = text.substr(0, colon);
  const std::string_view name = text.substr(colon + 1);
  return std::all_of(vendor.begin(), vendor.end(),
                     [](char c) { return is_alphanumeric(c) || c == '-'; }) &&
         std::all_of(name.begin(), name.end(),
                     [](char c) { return is_alphanumeric(c) || c == '*' || c == '?'; });
}

Result<void> read_actions(const Value& value, Statement& statement, ListSense sense) {
  TRY_ASSIGN(const auto actions, read_strings(value));
  if (actions.empty()) return malformed_policy("Policy statement must contain actions.");
  statement.action_sense = sense;
  for (const std::string& action : actions) {
    if (!is_action(action)) {
      return malformed_policy(
          "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.");
    }
    statement.actions.push_back(WildcardPattern::parse(to_lower(action)));
  }
  return {};
}

Result<void> read_action(const Reader&, const Value& value, Statement& statement) {
  return read_actions(value, statement, ListSense::kListed);
}

Result<void> read_not_action(const Reader&, const Value& value, Statement& statement) {
  return read_actions(value, statement, ListSense::kNotListed);
}

Result<void> read_resources(const Reader& reader, const Value& value, Statement& statement,
                            ListSense sense) {
  if (reader.rules.resource == ResourceValues::kNone) {
    return malformed_policy("Has prohibited field Resource");
  }
  TRY_ASSIGN(const auto resources, read_strings(value));
  if (resources.empty()) return malformed_policy("Policy statement must contain resources.");
  statement.resource_sense = sense;
  for (const std::string& resource : resources) {
    const bool allowed = resource == "*" || (reader.rules.resource == ResourceValues::kArns &&
                                             split_arn_pattern(resource));
    if (!allowed) {
      const bool only_star = reader.rules.resource == ResourceValues::kStar;
      return malformed_policy("Resource " + resource + " must be " +
                              (only_star ? "\"*\"." : "in ARN format or \"*\"."));
    }
    TRY_ASSIGN(auto text,
               PolicyText::parse(resource, reader.texts, Wildcards::kActive, LetterCase::kMatters));
    statement.resources.push_back(std::move(text));
  }
  return {};
}

Result<void> read_resource(const Reader& reader, const Value& value, Statement& statement) {
  return read_resources(reader, value, statement, ListSense::kListed);
}

Result<void> read_not_resource(const Reader& reader, const Value& value, Statement& statement) {
  // Of what is not the one resource that the policy belongs to, nothing is left.
  if (reader.rules.resource == ResourceValues::kStar) {
    return malformed_policy("Has prohibited field NotResource");
  }
  return read_resources(reader, value, statement, ListSense::kNotListed);
}

Result<void> read_conditions(const Reader& reader, const Value& value, Statement& statement) {
  if (!is_object(value)) return malformed_policy(std::string(kSyntaxErrors));
  return for_each_member(value, [&](std::string_view name, const Value& keys) -> Result<void> {
    if (!is_object(keys)) return malformed_policy(std::string(kSyntaxErrors));
    return for_each_member(keys, [&](std::string_view key, const Value& given) -> Result<void> {
      std::vector<std::string> values;
      const std::size_t count = is_array(given) ? given.size() : 1;
      for (std::size_t i = 0; i < count; ++i) {
        TRY_ASSIGN(auto text, read_condition_value(is_array(given) ? given.element(i) : given));
        values.push_back(std::move(text));
      }
      TRY_ASSIGN(auto condition, Condition::make(name, key, values, reader.texts));
      statement.conditions.push_back(std::move(condition));
      return {};
    });
  });
}

constexpr std::array kElements = std::to_array<Element>({
    {"Sid", read_sid},
    {"Effect", read_effect},
    {"Principal", read_principal},
    {"NotPrincipal", read_not_principal},
    {"Action", read_action},
    {"NotAction", read_not_action},
    {"Resource", read_resource},
    {"NotResource", read_not_resource},
    {"Condition", read_conditions},
});

Result<void> check_present(const Reader& reader, const Value& statement) {
  const auto has = [&](std::string_view name) { return statement.member(name).has_value(); };
  for (const std::string name : {"Principal", "Action", "Resource"}) {
    if (has(name) && has("Not" + name)) return malformed_policy(std::string(kSyntaxErrors));
  }
  if (!has("Effect")) return malformed_policy("Missing required field Effect");
  if (!has("Action") && !has("NotAction")) {
    return malformed_policy("Policy statement must contain actions.");
  }
  if (reader.rules.resource != ResourceValues::kNone && !has("Resource") && !has("NotResource")) {
    return malformed_policy("Policy statement must contain resources.");
  }
  if (reader.rules.principal == Presence::kRequired && !has("Principal") && !has("NotPrincipal")) {
    return malformed_policy("Policy contains a statement with no principal");
  }
  return {};
}

Result<Statement> read_statement(const Reader& reader, const Value& value) {
  if (!is_object(value)) return malformed_policy(std::string(kSyntaxErrors));
  TRY(check_present(reader, value));
  Statement statement;
  TRY(for_each_member(value, [&](std::string_view name, const Value& member) -> Result<void> {
    const auto element = std::ranges::find(kElements, name, &Element::name);
    if (element == kElements.end()) return malformed_policy(std::string(kSyntaxErrors));
    return element->read(reader, member, statement);
  }));
  return statement;
}

Result<LanguageVersion> read_version(const Value& root) {
  const auto member = root.member("Version");
  if (!member) return LanguageVersion::k2008;
  TRY_ASSIGN(const auto version, read_string(*member));
  if (version == "2012-10-17") return LanguageVersion::k2012;
  if (version == "2008-10-17") return LanguageVersion::k2008;
  return malformed_policy(std::string(kSyntaxErrors));
}

Result<std::vector<Statement>> read_statements(const Reader& reader, const Value& value) {
  std::vector<Statement> statements;
  const std::size_t count = is_array(value) ? value.size() : 1;
  for (std::size_t i = 0; i < count; ++i) {
    TRY_ASSIGN(auto statement, read_statement(reader, is_array(value) ? value.element(i) : value));
    statement.index = i;
    statements.push_back(std::move(statement));
  }
  if (statements.empty()) return malformed_policy(std::string(kSyntaxErrors));
  return statements;
}

Result<void> check_sids(const std::vector<Statement>& statements) {
  std::vector<std::string_view> sids;
  for (const Statement& statement : statements) {
    if (!statement.sid.empty()) sids.push_back(statement.sid);
  }
  std::sort(sids.begin(), sids.end());
  if (std::adjacent_find(sids.begin(), sids.end()) == sids.end()) return {};
  return malformed_policy("Statement IDs (SID) in a single policy must be unique.");
}

}  // namespace

Result<PolicyDocument> PolicyDocument::parse(std::string_view text, DocumentKind kind,
                                             std::string name, KnowsKey knows_key) {
  const DocumentRules& rules = rules_of(kind);
  if (text.size() > rules.max_bytes) {
    return Error(ErrorCode::kLimitExceeded,
                 "The policy is longer than " + std::to_string(rules.max_bytes) + " bytes.");
  }
  Bytes copy(text.begin(), text.end());  // parsing changes the text
  const auto document = json::Document::parse(copy);
  if (!document) return malformed_policy();
  const Value root = document->root();
  if (!is_object(root)) return malformed_policy(std::string(kSyntaxErrors));
  TRY(for_each_member(root, [](std::string_view member, const Value& value) -> Result<void> {
    if (member == "Id" && value.string()) return {};
    if (member == "Version" || member == "Statement") return {};
    return malformed_policy(std::string(kSyntaxErrors));
  }));
  TRY_ASSIGN(const auto version, read_version(root));
  const auto statements = root.member("Statement");
  if (!statements) return malformed_policy(std::string(kSyntaxErrors));
  const Reader reader{kind, rules, {version, knows_key}};
  PolicyDocument parsed(kind, std::move(name));
  TRY_ASSIGN(parsed.statements_, read_statements(reader, *statements));
  TRY(check_sids(parsed.statements_));
  return parsed;
}

}  // namespace keyhold::iam

#include "iam/policy_text.h"

#include "iam/ascii.h"
#include "iam/global_keys.h"

namespace keyhold::iam {
namespace {

constexpr std::string_view kVariableStart = "${";

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

}  // namespace

Error malformed_policy(std::string message) {
  return Error(ErrorCode::kMalformedPolicyDocument, std::move(message));
}

bool is_known_key(std::string_view name, const TextRules& rules) {
  if (name.starts_with("aws:")) return is_global_key(name);
  const std::size_t colon = name.find(':');
  if (colon == std::string_view::npos || colon == 0 || colon + 1 == name.size()) return false;
  return rules.knows_key == nullptr || rules.knows_key(name);
}

void PolicyText::add_piece(std::string_view text, Wildcards wildcards) {
  if (!text.empty()) pieces_.push_back({std::string(text), wildcards, std::nullopt});
}

void PolicyText::append(WildcardPattern& pattern, const Piece& piece) {
  if (piece.wildcards == Wildcards::kActive) {
    pattern.append_pattern(piece.text);
  } else {
    pattern.append_literal(piece.text);
  }
}

Result<PolicyText> PolicyText::parse(std::string_view text, const TextRules& rules,
                                     Wildcards wildcards, LetterCase letter_case) {
  const std::string folded =
      letter_case == LetterCase::kIgnored ? to_lower(text) : std::string(text);
  std::string_view rest = folded;
  PolicyText parsed;
  parsed.letter_case_ = letter_case;
  while (rules.version == LanguageVersion::k2012) {
    const std::size_t start = rest.find(kVariableStart);
    if (start == std::string_view::npos) break;
    const std::size_t end = rest.find('}', start);
    if (end == std::string_view::npos) {
      return malformed_policy("Policy contains a policy variable that does not end.");
    }
    parsed.add_piece(rest.substr(0, start), wildcards);
    const std::string_view inside =
        rest.substr(start + kVariableStart.size(), end - start - kVariableStart.size());
    rest.remove_prefix(end + 1);
    if (inside == "*" || inside == "?" || inside == "$") {
      parsed.add_piece(inside, Wildcards::kLiteral);
      continue;
    }
    Variable variable;
    const std::size_t comma = inside.find(',');
    variable.key = to_lower(trim(inside.substr(0, comma)));
    if (comma != std::string_view::npos) {
      const std::string_view fallback = trim(inside.substr(comma + 1));
      if (fallback.size() < 2 || fallback.front() != '\'' || fallback.back() != '\'') {
        return malformed_policy("Policy contains a policy variable with an invalid default value.");
      }
      variable.fallback = fallback.substr(1, fallback.size() - 2);
    }
    if (!is_known_key(variable.key, rules)) {
      return malformed_policy("Policy contains a policy variable that is not known: " +
                              variable.key);
    }
    parsed.pieces_.push_back({"", Wildcards::kLiteral, parsed.variables_.size()});
    parsed.variables_.push_back(std::move(variable));
  }
  parsed.add_piece(rest, wildcards);
  if (parsed.has_variables()) return parsed;

  std::string plain;
  bool has_wildcards = false;
  for (const Piece& piece : parsed.pieces_) {
    append(parsed.pattern_, piece);
    plain += piece.text;
    has_wildcards = has_wildcards || (piece.wildcards == Wildcards::kActive &&
                                      piece.text.find_first_of("*?") != std::string::npos);
  }
  parsed.pattern_.finish();
  if (!has_wildcards) parsed.exact_ = std::move(plain);
  parsed.pieces_.clear();
  return parsed;
}

Truth PolicyText::matches(std::string_view value, const Request& request, DocumentKind kind) const {
  std::string folded;
  if (letter_case_ == LetterCase::kIgnored) {
    folded = to_lower(value);
    value = folded;
  }
  if (exact_) return truth_of(value == *exact_);
  if (!has_variables()) return truth_of(pattern_.matches(value));

  WildcardPattern pattern;
  for (const Piece& piece : pieces_) {
    if (!piece.variable) {
      append(pattern, piece);
      continue;
    }
    const Variable& variable = variables_[*piece.variable];
    const ContextValue found = find_key(request, variable.key, kind);
    if (found.presence == KeyPresence::kUnknown) return Truth::kUnknown;
    // A key of many values stands for none of them.
    if (found.presence == KeyPresence::kPresent && found.values.size() > 1) return Truth::kUnknown;
    const bool present = found.presence == KeyPresence::kPresent && !found.values.empty();
    if (!present && !variable.fallback) return Truth::kNo;
    const std::string& text = present ? found.values.front() : *variable.fallback;
    pattern.append_literal(letter_case_ == LetterCase::kIgnored ? to_lower(text) : text);
  }
  pattern.finish();
  return truth_of(pattern.matches(value));
}

}  // namespace keyhold::iam

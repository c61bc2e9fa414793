// A string of a policy that is compared with something: wildcards, and variables in it.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "iam/request.h"
#include "iam/wildcard.h"

namespace keyhold::iam {

/// Whether something holds. kUnknown: there is something in it that is not understood, so that it
/// must not allow anything and must not keep anything from being denied.
enum class Truth : std::uint8_t { kNo, kUnknown, kYes };

constexpr Truth operator!(Truth truth) {
  return truth == Truth::kUnknown ? truth : truth == Truth::kYes ? Truth::kNo : Truth::kYes;
}
constexpr Truth truth_of(bool holds) { return holds ? Truth::kYes : Truth::kNo; }

/// The language versions there are. Only the later one has variables.
enum class LanguageVersion : std::uint8_t { k2008, k2012 };

enum class Wildcards : std::uint8_t { kLiteral, kActive };
enum class LetterCase : std::uint8_t { kMatters, kIgnored };

/// Whether a context key that is not `aws:` means something; null: all are taken.
using KnowsKey = bool (*)(std::string_view lower_case_name);

/// How the texts of one document are read.
struct TextRules {
  LanguageVersion version = LanguageVersion::k2012;
  KnowsKey knows_key = nullptr;
};

class PolicyText {
 public:
  /// kMalformedPolicyDocument for a variable that does not end, or whose key is not known.
  static Result<PolicyText> parse(std::string_view text, const TextRules& rules,
                                  Wildcards wildcards, LetterCase letter_case);

  /// Whether `value` is such a text. What a variable stands for is taken literally. kNo for a
  /// variable that has no value in this request and no default.
  Truth matches(std::string_view value, const Request& request, DocumentKind kind) const;

  bool has_variables() const { return !variables_.empty(); }

 private:
  struct Variable {
    std::string key;  ///< in lower case
    std::optional<std::string> fallback;
  };
  /// A stretch of pattern, or literal text, and the variable that follows it.
  struct Piece {
    std::string text;
    Wildcards wildcards = Wildcards::kLiteral;
    std::optional<std::size_t> variable;
  };

  void add_piece(std::string_view text, Wildcards wildcards);
  static void append(WildcardPattern& pattern, const Piece& piece);

  LetterCase letter_case_ = LetterCase::kMatters;
  std::vector<Piece> pieces_;
  std::vector<Variable> variables_;
  WildcardPattern pattern_;           ///< of the whole, if there are no variables
  std::optional<std::string> exact_;  ///< the whole, if it is plain text
};

Error malformed_policy(std::string message = {});

/// Whether a condition or a variable may name this key, which is in lower case.
bool is_known_key(std::string_view name, const TextRules& rules);

}  // namespace keyhold::iam

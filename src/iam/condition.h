// The Condition element: operators, context keys and the values they are held against.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "iam/condition_value.h"
#include "iam/policy_text.h"
#include "iam/request.h"

namespace keyhold::iam {

/// What both sides of a comparison are read as.
enum class ValueType : std::uint8_t {
  kString,
  kNumeric,
  kDate,
  kBoolean,
  kBinary,
  kAddress,
  kArn,
  kNull
};
enum class Comparison : std::uint8_t {
  kEquals,
  kLessThan,
  kLessThanEquals,
  kGreaterThan,
  kGreaterThanEquals
};
enum class Negation : std::uint8_t { kPlain, kNegated };

/// A row of the table of operators.
struct ConditionOperator {
  std::string_view name;  ///< without prefix and suffix
  ValueType type;
  Comparison comparison = Comparison::kEquals;
  Negation negation = Negation::kPlain;
  Wildcards wildcards = Wildcards::kLiteral;
  LetterCase letter_case = LetterCase::kMatters;
};

std::span<const ConditionOperator> condition_operators();

/// How the several values of a key are taken together.
enum class Quantifier : std::uint8_t { kNone, kForAllValues, kForAnyValue };
/// What a condition answers where the key is absent.
enum class IfAbsent : std::uint8_t { kByOperator, kTrue };

/// One key under one operator. True if any of its values fits, or, of a negated operator, none.
class Condition {
 public:
  /// `operator_name` with its prefix and suffix. kMalformedPolicyDocument for an operator or a key
  /// that does not exist, and for a value that is not of the operator's type.
  static Result<Condition> make(std::string_view operator_name, std::string_view key,
                                std::span<const std::string> values, const TextRules& rules);

  /// Three-valued: a key that the service does not know, a value in the request that is not of the
  /// operator's type, and several values without a quantifier are not understood.
  Truth holds(const Request& request, DocumentKind kind) const;

  const std::string& key() const { return key_; }  ///< in lower case

 private:
  /// The parts between the colons of an ARN, each with its own wildcards.
  struct ArnPattern {
    std::vector<PolicyText> parts;
  };
  using Value = std::variant<PolicyText, double, TimePoint, bool, Bytes, AddressRange, ArnPattern>;

  static Result<Value> read_value(const ConditionOperator& condition_operator,
                                  std::string_view text, const TextRules& rules);
  Truth holds_when_absent() const;
  Truth fits(const std::string& actual, const Request& request, DocumentKind kind) const;
  Truth fits_one(const Value& wanted, const std::string& actual, const Request& request,
                 DocumentKind kind) const;

  const ConditionOperator* operator_ = nullptr;
  Quantifier quantifier_ = Quantifier::kNone;
  IfAbsent if_absent_ = IfAbsent::kByOperator;
  std::string key_;
  std::vector<Value> values_;
};

}  // namespace keyhold::iam

#include "iam/condition.h"

#include <algorithm>
#include <array>

#include "base/base64.h"
#include "iam/arn_parts.h"
#include "iam/ascii.h"
#include "iam/global_keys.h"

namespace keyhold::iam {
namespace {

constexpr auto kIgnoreCase = LetterCase::kIgnored;
constexpr auto kNegated = Negation::kNegated;
constexpr auto kPlain = Negation::kPlain;
constexpr auto kEquals = Comparison::kEquals;

// By name.
constexpr std::array kOperators = std::to_array<ConditionOperator>({
    {"ArnEquals", ValueType::kArn},
    {"ArnLike", ValueType::kArn},
    {"ArnNotEquals", ValueType::kArn, kEquals, kNegated},
    {"ArnNotLike", ValueType::kArn, kEquals, kNegated},
    {"BinaryEquals", ValueType::kBinary},
    {"Bool", ValueType::kBoolean},
    {"DateEquals", ValueType::kDate},
    {"DateGreaterThan", ValueType::kDate, Comparison::kGreaterThan},
    {"DateGreaterThanEquals", ValueType::kDate, Comparison::kGreaterThanEquals},
    {"DateLessThan", ValueType::kDate, Comparison::kLessThan},
    {"DateLessThanEquals", ValueType::kDate, Comparison::kLessThanEquals},
    {"DateNotEquals", ValueType::kDate, kEquals, kNegated},
    {"IpAddress", ValueType::kAddress},
    {"NotIpAddress", ValueType::kAddress, kEquals, kNegated},
    {"Null", ValueType::kNull},
    {"NumericEquals", ValueType::kNumeric},
    {"NumericGreaterThan", ValueType::kNumeric, Comparison::kGreaterThan},
    {"NumericGreaterThanEquals", ValueType::kNumeric, Comparison::kGreaterThanEquals},
    {"NumericLessThan", ValueType::kNumeric, Comparison::kLessThan},
    {"NumericLessThanEquals", ValueType::kNumeric, Comparison::kLessThanEquals},
    {"NumericNotEquals", ValueType::kNumeric, kEquals, kNegated},
    {"StringEquals", ValueType::kString},
    {"StringEqualsIgnoreCase", ValueType::kString, kEquals, kPlain, Wildcards::kLiteral,
     kIgnoreCase},
    {"StringLike", ValueType::kString, kEquals, kPlain, Wildcards::kActive},
    {"StringNotEquals", ValueType::kString, kEquals, kNegated},
    {"StringNotEqualsIgnoreCase", ValueType::kString, kEquals, kNegated, Wildcards::kLiteral,
     kIgnoreCase},
    {"StringNotLike", ValueType::kString, kEquals, kNegated, Wildcards::kActive},
});

constexpr std::string_view kForAllValues = "ForAllValues:";
constexpr std::string_view kForAnyValue = "ForAnyValue:";
constexpr std::string_view kIfExists = "IfExists";

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

Error invalid_value(const ConditionOperator& condition_operator, std::string_view text) {
  std::string message = "Invalid value for condition type ";
  message.append(condition_operator.name).append(" : ").append(text).append(".");
  return malformed_policy(std::move(message));
}

template <typename T>
Truth compare(const T& wanted, const std::optional<T>& actual, Comparison comparison) {
  if (!actual) return Truth::kUnknown;
  switch (comparison) {
    case Comparison::kEquals:
      return truth_of(*actual == wanted);
    case Comparison::kLessThan:
      return truth_of(*actual < wanted);
    case Comparison::kLessThanEquals:
      return truth_of(*actual <= wanted);
    case Comparison::kGreaterThan:
      return truth_of(*actual > wanted);
    case Comparison::kGreaterThanEquals:
      return truth_of(*actual >= wanted);
  }
  return Truth::kUnknown;
}

/// The value of the type's own, if there is one.
template <typename Variant, typename T>
Result<Variant> typed(const ConditionOperator& condition_operator, std::string_view text,
                      std::optional<T> value) {
  if (!value) return invalid_value(condition_operator, text);
  return Variant(std::move(*value));
}

}  // namespace

std::span<const ConditionOperator> condition_operators() { return kOperators; }

Result<Condition::Value> Condition::read_value(const ConditionOperator& condition_operator,
                                               std::string_view text, const TextRules& rules) {
  switch (condition_operator.type) {
    case ValueType::kString: {
      TRY_ASSIGN(auto parsed, PolicyText::parse(text, rules, condition_operator.wildcards,
                                                condition_operator.letter_case));
      return Value(std::move(parsed));
    }
    case ValueType::kNumeric:
      return typed<Value>(condition_operator, text, parse_number(text));
    case ValueType::kDate:
      return typed<Value>(condition_operator, text, parse_instant(text));
    case ValueType::kBoolean:
    case ValueType::kNull:
      return typed<Value>(condition_operator, text, parse_boolean(text));
    case ValueType::kBinary:
      return typed<Value>(condition_operator, text, from_base64(text));
    case ValueType::kAddress:
      return typed<Value>(condition_operator, text, parse_address_range(text));
    case ValueType::kArn:
      break;
  }
  const auto parts = split_arn_pattern(text);
  if (!parts) return invalid_value(condition_operator, text);
  ArnPattern pattern;
  for (const std::string_view part : *parts) {
    TRY_ASSIGN(auto parsed,
               PolicyText::parse(part, rules, Wildcards::kActive, LetterCase::kMatters));
    pattern.parts.push_back(std::move(parsed));
  }
  return Value(std::move(pattern));
}

Result<Condition> Condition::make(std::string_view operator_name, std::string_view key,
                                  std::span<const std::string> values, const TextRules& rules) {
  Condition condition;
  std::string_view name = operator_name;
  if (take_prefix(name, kForAllValues)) {
    condition.quantifier_ = Quantifier::kForAllValues;
  } else if (take_prefix(name, kForAnyValue)) {
    condition.quantifier_ = Quantifier::kForAnyValue;
  }
  if (name.ends_with(kIfExists)) {
    condition.if_absent_ = IfAbsent::kTrue;
    name.remove_suffix(kIfExists.size());
  }
  const auto known = std::ranges::find(kOperators, name, &ConditionOperator::name);
  // Null asks for absence itself, so neither prefix nor suffix says anything beside it.
  if (known == kOperators.end() || (known->type == ValueType::kNull && name != operator_name)) {
    return malformed_policy("Invalid Condition type : " + std::string(operator_name) + ".");
  }
  condition.operator_ = known;
  condition.key_ = to_lower(key);
  if (condition.key_.find(':') == std::string::npos) {
    return malformed_policy(
        "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.");
  }
  if (!is_known_key(condition.key_, rules)) {
    return malformed_policy(
        "Policy contains a condition key that is not known: " + std::string(key) + ".");
  }
  if (values.empty()) {
    return malformed_policy("Policy contains a condition without values: " + std::string(key) +
                            ".");
  }
  condition.values_.reserve(values.size());
  for (const std::string& text : values) {
    TRY_ASSIGN(auto value, read_value(*known, text, rules));
    condition.values_.push_back(std::move(value));
  }
  return condition;
}

Truth Condition::holds(const Request& request, DocumentKind kind) const {
  const ContextValue found = find_key(request, key_, kind);
  if (found.presence == KeyPresence::kUnknown) return Truth::kUnknown;
  const bool absent = found.presence == KeyPresence::kAbsent || found.values.empty();
  if (operator_->type == ValueType::kNull) {
    return truth_of(std::ranges::any_of(
        values_, [&](const Value& wanted) { return std::get<bool>(wanted) == absent; }));
  }
  if (absent) return holds_when_absent();
  switch (quantifier_) {
    case Quantifier::kNone:
      if (found.values.size() > 1) return Truth::kUnknown;
      return fits(found.values.front(), request, kind);
    case Quantifier::kForAllValues: {
      Truth all = Truth::kYes;
      for (const std::string& actual : found.values) {
        all = std::min(all, fits(actual, request, kind));
      }
      return all;
    }
    case Quantifier::kForAnyValue:
      break;
  }
  Truth any = Truth::kNo;
  for (const std::string& actual : found.values) any = std::max(any, fits(actual, request, kind));
  return any;
}

Truth Condition::holds_when_absent() const {
  if (if_absent_ == IfAbsent::kTrue) return Truth::kYes;
  switch (quantifier_) {
    case Quantifier::kForAllValues:
      return Truth::kYes;
    case Quantifier::kForAnyValue:
      return Truth::kNo;
    case Quantifier::kNone:
      break;
  }
  return truth_of(operator_->negation == Negation::kNegated);
}

Truth Condition::fits(const std::string& actual, const Request& request, DocumentKind kind) const {
  Truth any = Truth::kNo;
  for (const Value& wanted : values_) {
    any = std::max(any, fits_one(wanted, actual, request, kind));
    if (any == Truth::kYes) break;
  }
  return operator_->negation == Negation::kNegated ? !any : any;
}

Truth Condition::fits_one(const Value& wanted, const std::string& actual, const Request& request,
                          DocumentKind kind) const {
  const Comparison comparison = operator_->comparison;
  switch (operator_->type) {
    case ValueType::kString:
      return std::get<PolicyText>(wanted).matches(actual, request, kind);
    case ValueType::kNumeric:
      return compare(std::get<double>(wanted), parse_number(actual), comparison);
    case ValueType::kDate:
      return compare(std::get<TimePoint>(wanted), parse_instant(actual), comparison);
    case ValueType::kBoolean:
      return compare(std::get<bool>(wanted), parse_boolean(actual), comparison);
    case ValueType::kBinary:
      return compare(std::get<Bytes>(wanted), from_base64(actual), comparison);
    case ValueType::kAddress: {
      const auto address = parse_address_range(actual);
      if (!address) return Truth::kUnknown;
      return truth_of(std::get<AddressRange>(wanted).holds(*address));
    }
    case ValueType::kArn:
    case ValueType::kNull:
      break;
  }
  const auto parts = split_arn(actual);
  if (!parts) return Truth::kUnknown;
  Truth all = Truth::kYes;
  for (std::size_t i = 0; i < parts->size(); ++i) {
    all = std::min(all, std::get<ArnPattern>(wanted).parts[i].matches((*parts)[i], request, kind));
  }
  return all;
}

}  // namespace keyhold::iam

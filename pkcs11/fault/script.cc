#include "pkcs11/fault/script.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "pkcs11/error.h"

namespace keyhold::pkcs11::fault {
namespace {

constexpr std::string_view kBlanks = " \t\r";

constexpr auto kImitations = std::to_array<ImitationRow>({
    {"C_Initialize", "wants-callbacks", ImitationRow::Value::kNone},
    {"C_Initialize", "refuses-callbacks", ImitationRow::Value::kNone},
    {"C_OpenSession", "at-most", ImitationRow::Value::kNumber},
    {"C_OpenSession", "spaced-ms", ImitationRow::Value::kNumber},
    {"C_Login", "pin-prefix", ImitationRow::Value::kText},
    {"C_GenerateKey", "short-id", ImitationRow::Value::kNumber},
    {"C_GenerateKey", "hmac-keys-of-hash", ImitationRow::Value::kNone},
    {"C_GenerateKey", "no-sensitive-extractable", ImitationRow::Value::kNone},
    {"C_WrapKey", "standard-iv", ImitationRow::Value::kNone},
    {"C_WrapKey", "mechanism", ImitationRow::Value::kNumber},
    {"C_UnwrapKey", "standard-iv", ImitationRow::Value::kNone},
    {"C_UnwrapKey", "mechanism", ImitationRow::Value::kNumber},
    {"C_UnwrapKey", "no-sensitive-extractable", ImitationRow::Value::kNone},
    {"C_UnwrapKey", "readable", ImitationRow::Value::kNone},
    {"C_UnwrapKey", "refuses-as", ImitationRow::Value::kNumber},
    {"C_Decrypt", "refuses-as", ImitationRow::Value::kNumber},
    {"C_EncryptInit", "iv-in-buffer", ImitationRow::Value::kNone},
    {"C_EncryptInit", "iv-behind-message", ImitationRow::Value::kNone},
});

std::vector<std::string_view> words_of(std::string_view line) {
  line = line.substr(0, line.find('#'));
  std::vector<std::string_view> words;
  for (;;) {
    const std::size_t start = line.find_first_not_of(kBlanks);
    if (start == std::string_view::npos) return words;
    line.remove_prefix(start);
    const std::size_t end = std::min(line.find_first_of(kBlanks), line.size());
    words.push_back(line.substr(0, end));
    line.remove_prefix(end);
  }
}

template <typename T>
std::optional<T> number(std::string_view text, int base = 10) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<CK_RV> return_value(std::string_view text) {
  if (text.starts_with("0x")) return number<CK_RV>(text.substr(2), 16);
  return rv_of_name(text);
}

// One of the three words each; false if it says nothing known.
bool read_function(std::string_view word, std::span<const std::string_view> functions, Rule& rule) {
  if (word == "*") return true;
  const auto it = std::ranges::find(functions, word);
  rule.function = static_cast<std::size_t>(it - functions.begin());
  return it != functions.end();
}

bool read_nth(std::string_view word, Rule& rule) {
  if (word == "*") return true;
  const bool onwards = word.ends_with('+');
  if (onwards) word.remove_suffix(1);
  const auto nth = number<std::uint64_t>(word);
  if (!nth || *nth == 0) return false;
  rule.first = *nth;
  if (!onwards) rule.last = *nth;
  return true;
}

/// `name` or `name=value`, of one of the function's imitations.
bool read_imitation(std::string_view word, std::string_view function, Rule& rule) {
  const auto equals = word.find('=');
  const std::string_view name = word.substr(0, equals);
  const auto row = std::ranges::find_if(kImitations, [&](const ImitationRow& each) {
    return each.function == function && each.name == name;
  });
  if (row == kImitations.end()) return false;
  const bool has_value = equals != std::string_view::npos;
  if (has_value == (row->value == ImitationRow::Value::kNone)) return false;
  if (row->value == ImitationRow::Value::kNumber &&
      !number<std::uint32_t>(word.substr(equals + 1))) {
    return false;
  }
  rule.action = Action::kImitate;
  rule.imitation = word;
  return true;
}

bool read_action(std::string_view word, std::string_view function, Rule& rule) {
  constexpr std::string_view kImitatePrefix = "imitate:";
  if (word.starts_with(kImitatePrefix)) {
    return read_imitation(word.substr(kImitatePrefix.size()), function, rule);
  }
  if (word == "pass") {
    rule.action = Action::kPass;
    return true;
  }
  if (word == "exit-before") {
    rule.action = Action::kExitBefore;
    return true;
  }
  if (word == "exit-after") {
    rule.action = Action::kExitAfter;
    return true;
  }
  constexpr std::string_view kDelayPrefix = "delay:";
  if (word.starts_with(kDelayPrefix)) {
    const auto delay = number<std::uint32_t>(word.substr(kDelayPrefix.size()));
    rule.action = Action::kDelay;
    rule.delay_ms = delay.value_or(0);
    return delay.has_value();
  }
  constexpr std::string_view kAfterPrefix = "after:";
  const bool after = word.starts_with(kAfterPrefix);
  if (after) word.remove_prefix(kAfterPrefix.size());
  const auto rv = return_value(word);
  rule.action = after ? Action::kAfter : Action::kInstead;
  rule.rv = rv.value_or(CKR_OK);
  return rv.has_value();
}

}  // namespace

std::span<const ImitationRow> imitations() { return kImitations; }

Script Script::parse(std::string_view text, std::span<const std::string_view> functions,
                     std::string* problem) {
  Script script;
  script.calls_.resize(functions.size());
  problem->clear();
  for (std::size_t line_number = 1; !text.empty(); ++line_number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::vector<std::string_view> words = words_of(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (words.empty()) continue;
    Rule rule;
    std::string bad;
    if (words.size() != 3) {
      bad = "not of the form 'function nth action'";
    } else if (!read_function(words[0], functions, rule)) {
      bad = "no function '" + std::string(words[0]) + "'";
    } else if (!read_nth(words[1], rule)) {
      bad = "no number of a call: '" + std::string(words[1]) + "'";
    } else if (!read_action(words[2], words[0], rule)) {
      bad = "no action '" + std::string(words[2]) + "'";
    }
    if (!bad.empty()) {
      *problem = "line " + std::to_string(line_number) + ": " + bad;
      return script;
    }
    script.rules_.push_back(rule);
  }
  return script;
}

Decision Script::next(std::size_t function) {
  Decision decision;
  const std::uint64_t of_all = ++all_calls_;
  const std::uint64_t of_function = function < calls_.size() ? ++calls_[function] : of_all;
  for (const Rule& rule : rules_) {
    const bool any = rule.function == Rule::kAnyFunction;
    if (!any && rule.function != function) continue;
    const std::uint64_t nth = any ? of_all : of_function;
    if (nth < rule.first || nth > rule.last) continue;
    if (rule.action == Action::kDelay) {
      decision.delay_ms += rule.delay_ms;
      continue;
    }
    decision.action = rule.action;
    decision.rv = rule.rv;
    decision.imitation = rule.imitation;
    break;
  }
  return decision;
}

}  // namespace keyhold::pkcs11::fault

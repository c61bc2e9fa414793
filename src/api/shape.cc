#include "api/shape.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "base/base64.h"

namespace keyhold::api {
namespace {

using Type = json::Value::Type;

constexpr std::array<std::string_view, 9> kKinds{"string",      "blob",      "integer",
                                                 "boolean",     "timestamp", "string map",
                                                 "string list", "structure", "list of structures"};

bool is_alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}
bool is_ascii(char c) { return static_cast<unsigned char>(c) < 0x80; }
bool is_alias_character(char c) {
  return is_alphanumeric(c) || c == ':' || c == '/' || c == '_' || c == '-';
}

bool is_description_character(char c) {
  return is_alias_character(c) || c == '.' || c == ' ' || (c >= '\t' && c <= '\r');
}
bool is_xks_character(char c) { return is_alphanumeric(c) || c == '-' || c == '_' || c == '.'; }
bool is_lower_hex(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); }

bool is_word_character(char c) { return is_alphanumeric(c) || c == '_'; }
bool is_principal_character(char c) {
  return is_word_character(c) || std::string_view("+=,.@:/-").find(c) != std::string_view::npos;
}
bool is_label_character(char c) { return is_alphanumeric(c) || c == '-'; }
bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
}

bool some(std::string_view text, bool (*is_allowed)(char)) {
  return !text.empty() && std::ranges::all_of(text, is_allowed);
}

/// The text's parts between the separators, at most `most` of them: the last has the rest.
std::vector<std::string_view> split(std::string_view text, char separator, std::size_t most) {
  std::vector<std::string_view> parts;
  while (parts.size() + 1 < most) {
    const auto at = text.find(separator);
    if (at == std::string_view::npos) break;
    parts.push_back(text.substr(0, at));
    text.remove_prefix(at + 1);
  }
  parts.push_back(text);
  return parts;
}

bool is_service_principal(std::string_view text) {
  const auto labels = split(text, '.', text.size() + 1);
  return labels.size() >= 3 && std::ranges::all_of(labels, [](std::string_view label) {
           return some(label, is_label_character);
         });
}

bool is_source_arn(std::string_view text) {
  constexpr std::string_view kPartition = "aws";
  const auto parts = split(text, ':', 6);
  if (parts.size() != 6) return false;
  const auto all = [](std::string_view part) {
    return part.empty() || some(part, is_name_character);
  };
  return parts[0] == "arn" && parts[1].starts_with(kPartition) && all(parts[1]) &&
         some(parts[2], is_name_character) && all(parts[3]) && parts[4].size() == 12 &&
         std::ranges::all_of(parts[4], [](char c) { return c >= '0' && c <= '9'; }) &&
         !parts[5].empty();
}

/// Whether each character of UTF-8 text is U+0020 to U+00FF, or one that `control` allows.
bool is_latin1(std::string_view text, bool (*control)(char)) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x20 && !control(text[i])) return false;
    if (byte < 0x80) continue;
    if (byte != 0xc2 && byte != 0xc3) return false;  // the lead bytes of U+0080 to U+00FF
    ++i;
  }
  return true;
}

/// The length of UTF-8 text in UTF-16 units, which is what Java counts.
std::size_t utf16_length(std::string_view text) {
  std::size_t length = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xc0) != 0x80) ++length;
    if (byte >= 0xf0) ++length;  // a surrogate pair
  }
  return length;
}

std::string join(Words words) {
  std::string text = "[";
  for (const std::string_view word : words) {
    if (text.size() > 1) text += ", ";
    text += word;
  }
  return text + "]";
}

std::string at_least(std::string_view what, std::int64_t bound) {
  return "Member must have " + std::string(what) + " greater than or equal to " +
         std::to_string(bound);
}
std::string at_most(std::string_view what, std::int64_t bound) {
  return "Member must have " + std::string(what) + " less than or equal to " +
         std::to_string(bound);
}

/// What a quantity violates: never both bounds, since one value cannot.
std::vector<std::string> bound_violations(std::string_view what, std::int64_t value,
                                          const Rule& rule) {
  if (rule.min && value < *rule.min) return {at_least(what, *rule.min)};
  if (rule.max && value > *rule.max) return {at_most(what, *rule.max)};
  return {};
}

std::vector<std::string> text_violations(std::string_view text, const Rule& rule) {
  auto violations = bound_violations("length", static_cast<std::int64_t>(utf16_length(text)), rule);
  if (!matches(rule.pattern, text)) {
    violations.push_back("Member must satisfy regular expression pattern: " +
                         std::string(expression(rule.pattern)));
  }
  if (!rule.words.empty() && std::ranges::find(rule.words, text) == rule.words.end()) {
    violations.push_back("Member must satisfy enum value set: " +
                         join(rule.printed.empty() ? rule.words : rule.printed));
  }
  return violations;
}

std::optional<std::string> shown(std::string_view text, const Rule& rule) {
  if (rule.privacy == Privacy::kSensitive) return std::nullopt;
  return std::string(text);
}

void check_blob(std::size_t size, const Path& path, const Rule& rule, Problems& problems) {
  for (const auto& constraint : bound_violations("length", static_cast<std::int64_t>(size), rule)) {
    problems.violation(path, std::nullopt, constraint);
  }
}

std::string_view token_name(Type type) {
  switch (type) {
    case Type::kNull:
      return "NULL_VALUE";
    case Type::kFalse:
      return "FALSE_VALUE";
    case Type::kTrue:
      return "TRUE_VALUE";
    case Type::kString:
      return "STRING_VALUE";
    case Type::kNumber:
      return "NUMBER_VALUE";
    case Type::kObject:
      return "START_OBJECT";
    case Type::kArray:
      return "START_ARRAY";
  }
  std::abort();
}

std::string_view java_type(Kind kind) {
  switch (kind) {
    case Kind::kString:
      return "a String";
    case Kind::kBlob:
      return "a Blob";
    case Kind::kInteger:
      return "an Integer";
    case Kind::kBoolean:
      return "a Boolean";
    case Kind::kTimestamp:
      return "a Timestamp";
    case Kind::kStringMap:
      return "a Map";
    case Kind::kStringList:
    case Kind::kStructureList:
      return "a List";
    case Kind::kStructure:
      return "a Structure";
  }
  std::abort();
}

std::string wrong_type_text(Type found, Kind wanted) {
  if (found == Type::kObject || found == Type::kArray) {
    if (wanted == Kind::kStringMap) {
      return "Unrecognized collection type java.util.Map<java.lang.String, java.lang.String>";
    }
    if (wanted == Kind::kStringList) {
      return "Unrecognized collection type java.util.List<java.lang.String>";
    }
    return found == Type::kObject ? "Start of structure or map found where not expected."
                                  : "Start of list found where not expected.";
  }
  return std::string(token_name(found)) + " can not be converted to " +
         std::string(java_type(wanted));
}

// A date in CloudTrail's requestParameters and responseElements: `Aug 10, 2022, 10:38:27 PM`.
std::string to_java_date(TimePoint time) {
  constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::seconds>(time - day));
  const auto two_digits = [](long value) {
    return (value < 10 ? "0" : "") + std::to_string(value);
  };
  const long hour = clock.hours().count();
  return std::string(kMonths.at(static_cast<unsigned>(date.month()) - 1)) + " " +
         std::to_string(static_cast<unsigned>(date.day())) + ", " +
         std::to_string(static_cast<int>(date.year())) + ", " +
         std::to_string(hour % 12 == 0 ? 12 : hour % 12) + ":" +
         two_digits(clock.minutes().count()) + ":" + two_digits(clock.seconds().count()) +
         (hour < 12 ? " AM" : " PM");
}

// AWS sends `1.608639949636E9`; the plain decimal is the same number to every reader.
std::string to_epoch_seconds(TimePoint time) {
  const auto milliseconds_since = time.time_since_epoch().count();
  std::string fraction = std::to_string(milliseconds_since % 1000);
  fraction.insert(0, 3 - fraction.size(), '0');
  return std::to_string(milliseconds_since / 1000) + "." + fraction;
}

}  // namespace

std::string_view to_string(Kind kind) { return kKinds.at(static_cast<std::size_t>(kind)); }

std::string_view expression(Pattern pattern) {
  switch (pattern) {
    case Pattern::kNone:
      return "";
    case Pattern::kAscii:
      return "^\\p{ASCII}+$";
    case Pattern::kAliasName:
      return "^[a-zA-Z0-9:/_-]+$";
    case Pattern::kMarker:
      return "[\\u0020-\\u00FF]*";
    case Pattern::kPolicy:
      return "[\\u0009\\u000A\\u000D\\u0020-\\u00FF]+";
    case Pattern::kXksKeyId:
      return "^[a-zA-Z0-9-_.]+$";
    case Pattern::kMaterialId:
      return "^[a-f0-9]+$";
    case Pattern::kMaterialDescription:
      return "^[a-zA-Z0-9:/_\\s.-]+$";
    case Pattern::kPolicyName:
      return "[\\w]+";
    case Pattern::kPrincipalId:
      return "^[\\w+=,.@:/-]+$";
    case Pattern::kServicePrincipal:
      return "^([A-Za-z0-9\\-]+)\\.([A-Za-z0-9\\-]+)(\\.[A-Za-z0-9\\-]+)+$";
    case Pattern::kSourceArn:
      return "^arn:aws[a-z0-9-]*:[a-z0-9-]+:[a-z0-9-]*:[0-9]{12}:.+$";
  }
  std::abort();
}

bool matches(Pattern pattern, std::string_view text) {
  switch (pattern) {
    case Pattern::kNone:
      return true;
    case Pattern::kAscii:
      return some(text, is_ascii);
    case Pattern::kAliasName:
      return some(text, is_alias_character);
    case Pattern::kMarker:
      return is_latin1(text, [](char) { return false; });
    case Pattern::kPolicy:
      return !text.empty() &&
             is_latin1(text, [](char c) { return c == '\t' || c == '\n' || c == '\r'; });
    case Pattern::kXksKeyId:
      return some(text, is_xks_character);
    case Pattern::kMaterialId:
      return some(text, is_lower_hex);
    case Pattern::kMaterialDescription:
      return some(text, is_description_character);
    case Pattern::kPolicyName:
      return some(text, is_word_character);
    case Pattern::kPrincipalId:
      return some(text, is_principal_character);
    case Pattern::kServicePrincipal:
      return is_service_principal(text);
    case Pattern::kSourceArn:
      return is_source_arn(text);
  }
  std::abort();
}

std::string lower_camel(std::string_view name) {
  const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
  std::string text(name);
  const bool acronym = text.size() > 1 && is_upper(text[0]) && is_upper(text[1]);
  if (!text.empty() && !acronym && is_upper(text[0])) {
    text[0] = static_cast<char>(text[0] - 'A' + 'a');
  }
  return text;
}

Error absent_member(std::string_view name) {
  Problems problems;
  problems.absent(Path{nullptr, name, 0}, Rule{});
  return problems.verdict().error();
}

std::string Path::text() const {
  const std::string own = index != 0 ? std::to_string(index) + ".member" : lower_camel(name);
  return parent == nullptr ? own : parent->text() + "." + own;
}

void Problems::wrong_type(json::Value::Type found, Kind wanted) {
  if (!wrong_type_) wrong_type_ = Error(ErrorCode::kSerialization, wrong_type_text(found, wanted));
}

void Problems::absent(const Path& path, const Rule& rule) {
  violations_.push_back(std::string(rule.privacy == Privacy::kSensitive ? "Value" : "Value null") +
                        " at '" + path.text() +
                        "' failed to satisfy constraint: Member must not be null");
}

void Problems::violation(const Path& path, const std::optional<std::string>& value,
                         std::string_view constraint) {
  std::string text = value ? "Value '" + *value + "' at '" : "Value at '";
  text.append(path.text()).append("' failed to satisfy constraint: ").append(constraint);
  violations_.push_back(std::move(text));
}

void Problems::other(Error error) {
  if (!other_) other_ = std::move(error);
}

Result<void> Problems::verdict() const {
  if (wrong_type_) return *wrong_type_;
  if (!violations_.empty()) {
    std::string text = std::to_string(violations_.size()) +
                       (violations_.size() == 1 ? " validation error" : " validation errors") +
                       " detected: ";
    for (std::size_t i = 0; i < violations_.size(); ++i) {
      if (i != 0) text += "; ";
      text += violations_[i];
    }
    return Error(ErrorCode::kValidation, std::move(text));
  }
  if (other_) return *other_;
  return {};
}

namespace shape_detail {

void read(json::Value value, const Path& path, const Rule& rule, Problems& problems,
          std::string& out) {
  const auto text = value.string();
  if (!text) {
    problems.wrong_type(value.type(), Kind::kString);
    return;
  }
  for (const auto& constraint : text_violations(*text, rule)) {
    problems.violation(path, shown(*text, rule), constraint);
  }
  out = *text;
}

void read(json::Value value, const Path& path, const Rule& rule, Problems& problems, Bytes& out) {
  const auto text = value.string();
  auto bytes = text ? from_base64(*text) : std::nullopt;
  if (!bytes) {
    problems.wrong_type(value.type(), Kind::kBlob);
    return;
  }
  check_blob(bytes->size(), path, rule, problems);
  out = std::move(*bytes);
}

void read(json::Value value, const Path& path, const Rule& rule, Problems& problems, Secret& out) {
  const auto text = value.string();
  auto bytes = text ? secret_from_base64(*text) : std::nullopt;
  if (!bytes) {
    problems.wrong_type(value.type(), Kind::kBlob);
    return;
  }
  check_blob(bytes->size(), path, rule, problems);
  out = std::move(*bytes);
}

void read(json::Value value, const Path& path, const Rule& rule, Problems& problems,
          std::int64_t& out) {
  const auto number = value.integer();
  if (!number) {
    problems.wrong_type(value.type(), Kind::kInteger);
    return;
  }
  for (const auto& constraint : bound_violations("value", *number, rule)) {
    problems.violation(path, shown(std::to_string(*number), rule), constraint);
  }
  out = *number;
}

void read(json::Value value, const Path&, const Rule&, Problems& problems, bool& out) {
  const auto boolean = value.boolean();
  if (!boolean) {
    problems.wrong_type(value.type(), Kind::kBoolean);
    return;
  }
  out = *boolean;
}

void read(json::Value value, const Path&, const Rule&, Problems& problems, TimePoint& out) {
  // The year 9999: what lies beyond has no date in the audit trail.
  constexpr double kLast = 253'402'300'799;
  const auto seconds = value.number();
  if (!seconds || !(std::fabs(*seconds) <= kLast)) {
    problems.wrong_type(value.type(), Kind::kTimestamp);
    return;
  }
  out = TimePoint(milliseconds(std::llround(*seconds * 1000)));
}

void read(json::Value value, const Path&, const Rule&, Problems& problems,
          kms::EncryptionContext& out) {
  if (value.type() != Type::kObject) {
    problems.wrong_type(value.type(), Kind::kStringMap);
    return;
  }
  std::vector<std::pair<std::string, std::string>> pairs;
  pairs.reserve(value.size());
  value.for_each_member([&](std::string_view name, json::Value entry) {
    const auto text = entry.string();
    if (!text) {
      problems.wrong_type(entry.type(), Kind::kString);
      return false;
    }
    pairs.emplace_back(name, *text);
    return true;
  });
  auto context = kms::EncryptionContext::from_pairs(std::move(pairs));
  if (!context) {
    problems.other(context.error());
    return;
  }
  out = std::move(*context);
}

void read(json::Value value, const Path& path, const Rule& rule, Problems& problems,
          std::vector<std::string>& out) {
  if (value.type() != Type::kArray) {
    problems.wrong_type(value.type(), Kind::kStringList);
    return;
  }
  std::string listed = "[";
  std::vector<std::string> element_violations;
  out.reserve(value.size());
  for (std::size_t i = 0; i < value.size(); ++i) {
    const json::Value element = value.element(i);
    const auto text = element.string();
    if (!text) {
      problems.wrong_type(element.type(), Kind::kString);
      return;
    }
    if (i != 0) listed += ", ";
    listed += *text;
    out.emplace_back(*text);
    if (rule.element == nullptr || !element_violations.empty()) continue;
    element_violations = text_violations(*text, *rule.element);
  }
  listed += "]";
  const auto list_shown = shown(listed, rule);
  for (const auto& constraint :
       bound_violations("length", static_cast<std::int64_t>(out.size()), rule)) {
    problems.violation(path, list_shown, constraint);
  }
  for (const auto& constraint : element_violations) {
    problems.violation(path, list_shown, "Member must satisfy constraint: [" + constraint + "]");
  }
}

void check_size(std::size_t size, const Path& path, const Rule& rule, Problems& problems) {
  for (const auto& constraint : bound_violations("length", static_cast<std::int64_t>(size), rule)) {
    problems.violation(path, std::nullopt, constraint);
  }
}

void write(json::Writer& writer, Form, const std::string& value) { writer.string(value); }

void write(json::Writer& writer, Form, const Bytes& value) { writer.string(to_base64(value)); }

void write(json::Writer& writer, Form, const Secret& value) {
  std::string text = to_base64(value.view());
  writer.string(text);
  wipe(text.data(), text.size());
}

void write(json::Writer& writer, Form, std::int64_t value) { writer.integer(value); }

void write(json::Writer& writer, Form, bool value) { writer.boolean(value); }

void write(json::Writer& writer, Form form, TimePoint value) {
  if (form == Form::kAudit) {
    writer.string(to_java_date(value));
  } else {
    writer.raw(to_epoch_seconds(value));
  }
}

void write(json::Writer& writer, Form, const kms::EncryptionContext& value) {
  writer.begin_object();
  for (const auto& [name, text] : value.pairs()) writer.key(name).string(text);
  writer.end_object();
}

void write(json::Writer& writer, Form, const std::vector<std::string>& value) {
  writer.begin_array();
  for (const auto& text : value) writer.string(text);
  writer.end_array();
}

}  // namespace shape_detail
}  // namespace keyhold::api

// Shapes: what a request or an answer consists of, declared once beside its struct.
//
//   struct Request {
//     std::string key_id;
//     std::optional<std::int64_t> days;
//     static constexpr auto shape() {
//       return members(required("KeyId", &Request::key_id, kKeyId.in_audit()),
//                      optional("PendingWindowInDays", &Request::days, kDays));
//     }
//   };
//
// The same line reads the member from JSON, validates it with AWS's words, writes it (to a caller,
// or to the audit trail) and explains itself to documentation and tests.
//
// A member's C++ type says its kind: std::string, Bytes and Secret (blobs), std::int64_t, bool,
// TimePoint, kms::EncryptionContext, std::vector<std::string>, a struct with a
// shape() and a std::vector of such. std::optional around it lets it be absent; a vector and an
// encryption context are absent when empty.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "base/secret.h"
#include "kms/encryption_context.h"

namespace keyhold::api {

enum class Kind : std::uint8_t {
  kString,
  kBlob,
  kInteger,
  kBoolean,
  kTimestamp,
  kStringMap,
  kStringList,
  kStructure,
  kStructureList,
};
std::string_view to_string(Kind kind);

/// The regular expressions of the API model that members are held against.
enum class Pattern : std::uint8_t {
  kNone,
  kAscii,
  kAliasName,
  kMarker,
  kPolicy,
  kXksKeyId,
  kMaterialId,
  kMaterialDescription,
  kPolicyName,
  kPrincipalId,
  kServicePrincipal,
  kSourceArn,
};
/// As AWS prints it.
std::string_view expression(Pattern pattern);
bool matches(Pattern pattern, std::string_view text);

enum class Presence : std::uint8_t { kOptional, kRequired };

/// Whether a value may stand in an error's text.
enum class Privacy : std::uint8_t { kPlain, kSensitive };

/// Whether a member stands in the audit event.
enum class Audit : std::uint8_t { kHidden, kShown };

using Words = std::span<const std::string_view>;

/// What is asked of a member's value.
struct Rule {
  /// Of the length (strings in UTF-16 units as AWS counts, blobs in bytes, lists in elements) or of
  /// the integer's value.
  std::optional<std::int64_t> min = {};
  std::optional<std::int64_t> max = {};
  Pattern pattern = Pattern::kNone;
  Words words = {};    ///< the only values, if not empty, in the order AWS prints them
  Words printed = {};  ///< what AWS prints instead, where that differs
  Privacy privacy = Privacy::kPlain;
  const Rule* element = nullptr;  ///< of each string of a list
  Audit audit = Audit::kHidden;
  /// A member of the API that is validated and then refused with this sentence, because it is not
  /// implemented. An empty list and `false` ask for nothing and pass.
  std::string_view refusal = {};

  constexpr Rule in_audit() const {
    Rule rule = *this;
    rule.audit = Audit::kShown;
    return rule;
  }
  constexpr Rule refused(std::string_view sentence) const {
    Rule rule = *this;
    rule.refusal = sentence;
    return rule;
  }
};

template <typename Struct, typename T>
struct Member {
  std::string_view name;
  T Struct::*pointer;
  Rule rule;
  Presence presence;
};

template <typename Struct, typename T>
constexpr Member<Struct, T> required(std::string_view name, T Struct::*pointer, Rule rule = {}) {
  return {name, pointer, rule, Presence::kRequired};
}
template <typename Struct, typename T>
constexpr Member<Struct, T> optional(std::string_view name, T Struct::*pointer, Rule rule = {}) {
  return {name, pointer, rule, Presence::kOptional};
}
template <typename... Members>
constexpr std::tuple<Members...> members(Members... list) {
  return {list...};
}

/// A member as data, for documentation and tests.
struct MemberDescription {
  std::string_view name;
  Kind kind;
  Presence presence;
  Rule rule;
  std::vector<MemberDescription> structure;  ///< of a structure, or of each of a list
};
using Description = std::vector<MemberDescription>;

/// `keyId` for `KeyId`, as validation errors and CloudTrail spell members. A name that begins with
/// an acronym keeps it: `AWSAccountId`.
std::string lower_camel(std::string_view name);

/// The error of a required member that is absent, for members that are required only sometimes.
Error absent_member(std::string_view name);

/// A place in the request, for errors' texts.
struct Path {
  const Path* parent = nullptr;
  std::string_view name;
  std::size_t index = 0;  ///< from 1, where this is an element of a list; name is empty then

  std::string text() const;
};

/// Collects what is wrong with a request. JSON types are judged before values, and values are all
/// judged, as AWS's front end does (unmarshalling, then model constraints).
class Problems {
 public:
  void wrong_type(json::Value::Type found, Kind wanted);
  void absent(const Path& path, const Rule& rule);
  /// `value`: what was sent, if it may be shown.
  void violation(const Path& path, const std::optional<std::string>& value,
                 std::string_view constraint);
  /// Something that is said in its own words.
  void other(Error error);

  Result<void> verdict() const;

 private:
  std::optional<Error> wrong_type_;
  std::vector<std::string> violations_;
  std::optional<Error> other_;
};

namespace shape_detail {

template <typename T>
struct Unwrapped {
  using type = T;
};
template <typename T>
struct Unwrapped<std::optional<T>> {
  using type = T;
};
template <typename T>
using Bare = typename Unwrapped<T>::type;

template <typename T>
inline constexpr bool kIsOptional = !std::is_same_v<Bare<T>, T>;

template <typename T>
concept Structure = requires {
  T::shape();
};

/// A struct's members, made once: a Rule is large enough to be felt on each call.
template <Structure T>
inline constexpr auto kShape = T::shape();

template <typename T>
struct ListOf {};
template <typename T>
struct ListOf<std::vector<T>> {
  using type = T;
};
template <typename T>
concept StructureList = requires {
  requires Structure<typename ListOf<T>::type>;
};

template <typename T>
constexpr Kind kind_of() {
  using B = Bare<T>;
  if constexpr (std::is_same_v<B, std::string>) return Kind::kString;
  if constexpr (std::is_same_v<B, Bytes> || std::is_same_v<B, Secret>) return Kind::kBlob;
  if constexpr (std::is_same_v<B, std::int64_t>) return Kind::kInteger;
  if constexpr (std::is_same_v<B, bool>) return Kind::kBoolean;
  if constexpr (std::is_same_v<B, TimePoint>) return Kind::kTimestamp;
  if constexpr (std::is_same_v<B, kms::EncryptionContext>) return Kind::kStringMap;
  if constexpr (std::is_same_v<B, std::vector<std::string>>) return Kind::kStringList;
  if constexpr (Structure<B>) return Kind::kStructure;
  if constexpr (StructureList<B>) return Kind::kStructureList;
}

void read(json::Value value, const Path& path, const Rule& rule, Problems& problems,
          std::string& out);
void read(json::Value value, const Path& path, const Rule& rule, Problems& problems, Bytes& out);
void read(json::Value value, const Path& path, const Rule& rule, Problems& problems, Secret& out);
void read(json::Value value, const Path& path, const Rule& rule, Problems& problems,
          std::int64_t& out);
void read(json::Value value, const Path& path, const Rule& rule, Problems& problems, bool& out);
/// Seconds since the epoch, with a fraction.
void read(json::Value value, const Path& path, const Rule& rule, Problems& problems,
          TimePoint& out);
void read(json::Value value, const Path& path, const Rule& rule, Problems& problems,
          kms::EncryptionContext& out);
void read(json::Value value, const Path& path, const Rule& rule, Problems& problems,
          std::vector<std::string>& out);
/// Checks a list's length. Its elements are not shown: they are structures.
void check_size(std::size_t size, const Path& path, const Rule& rule, Problems& problems);

template <Structure T>
void read(json::Value value, const Path& path, const Rule& rule, Problems& problems, T& out);

template <Structure T>
void read(json::Value value, const Path& path, const Rule& rule, Problems& problems,
          std::vector<T>& out) {
  if (value.type() != json::Value::Type::kArray) {
    problems.wrong_type(value.type(), Kind::kStructureList);
    return;
  }
  check_size(value.size(), path, rule, problems);
  out.resize(value.size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    const Path element{&path, {}, i + 1};
    read(value.element(i), element, rule, problems, out[i]);
  }
}

template <typename Struct, typename T>
void read_member(json::Value object, const Path* parent, const Member<Struct, T>& member,
                 Problems& problems, Struct& out) {
  const Path path{parent, member.name, 0};
  const auto value = object.member(member.name);
  if (!value || value->type() == json::Value::Type::kNull) {
    if (member.presence == Presence::kRequired) {
      problems.absent(path, member.rule);
    }
    return;
  }
  if constexpr (kIsOptional<T>) {
    read(*value, path, member.rule, problems, (out.*member.pointer).emplace());
  } else {
    read(*value, path, member.rule, problems, out.*member.pointer);
  }
}

template <typename T>
void read_members(json::Value object, const Path* parent, Problems& problems, T& out) {
  std::apply(
      [&](const auto&... member) { (read_member(object, parent, member, problems, out), ...); },
      kShape<T>);
}

template <Structure T>
void read(json::Value value, const Path& path, const Rule&, Problems& problems, T& out) {
  if (value.type() != json::Value::Type::kObject) {
    problems.wrong_type(value.type(), Kind::kStructure);
    return;
  }
  read_members(value, &path, problems, out);
}

/// Whether a member asks for something.
template <typename T>
bool is_given(const T& value) {
  if constexpr (std::is_same_v<T, std::optional<bool>>) {
    return value.value_or(false);
  } else if constexpr (kIsOptional<T>) {
    return value && is_given(*value);
  } else if constexpr (!std::is_same_v<T, Bytes> && requires { typename ListOf<T>::type; }) {
    return !value.empty();  // Bytes are a vector too, but an empty blob was given all the same
  } else {
    return true;
  }
}

enum class Form : std::uint8_t { kAnswer, kAudit };

void write(json::Writer& writer, Form form, const std::string& value);
void write(json::Writer& writer, Form form, const Bytes& value);
void write(json::Writer& writer, Form form, const Secret& value);
void write(json::Writer& writer, Form form, std::int64_t value);
void write(json::Writer& writer, Form form, bool value);
void write(json::Writer& writer, Form form, TimePoint value);
void write(json::Writer& writer, Form form, const kms::EncryptionContext& value);
void write(json::Writer& writer, Form form, const std::vector<std::string>& value);

template <Structure T>
void write(json::Writer& writer, Form form, const T& value);

template <Structure T>
void write(json::Writer& writer, Form form, const std::vector<T>& value) {
  writer.begin_array();
  for (const T& element : value) write(writer, form, element);
  writer.end_array();
}

template <typename Struct, typename T>
void write_member(json::Writer& writer, Form form, const Member<Struct, T>& member,
                  const Struct& from) {
  const T& value = from.*member.pointer;
  const auto write_key = [&] {
    writer.key(form == Form::kAudit ? lower_camel(member.name) : std::string(member.name));
  };
  if constexpr (kIsOptional<T>) {
    if (!value) return;
    write_key();
    write(writer, form, *value);
  } else {
    if constexpr (std::is_same_v<T, kms::EncryptionContext>) {
      if (value.empty()) return;
    }
    write_key();
    write(writer, form, value);
  }
}

template <Structure T>
void write(json::Writer& writer, Form form, const T& value) {
  writer.begin_object();
  std::apply([&](const auto&... member) { (write_member(writer, form, member, value), ...); },
             kShape<T>);
  writer.end_object();
}

template <typename Struct, typename T>
bool in_audit(const Member<Struct, T>& member, const Struct& from) {
  if (member.rule.audit == Audit::kHidden) return false;
  if constexpr (kIsOptional<T>) return (from.*member.pointer).has_value();
  if constexpr (std::is_same_v<T, kms::EncryptionContext>) return !(from.*member.pointer).empty();
  return true;
}

template <typename T>
Description describe();

template <typename T>
Description describe_parts() {
  if constexpr (Structure<T>) {
    return describe<T>();
  } else if constexpr (StructureList<T>) {
    return describe<typename ListOf<T>::type>();
  } else {
    return {};
  }
}

template <typename Struct, typename T>
MemberDescription describe_member(const Member<Struct, T>& member) {
  return {member.name, kind_of<T>(), member.presence, member.rule, describe_parts<Bare<T>>()};
}

template <typename T>
Description describe() {
  return std::apply([](const auto&... member) { return Description{describe_member(member)...}; },
                    kShape<T>);
}

}  // namespace shape_detail

/// What a struct with a shape() consists of.
template <typename T>
Description describe() {
  return shape_detail::describe<T>();
}

/// Reads and validates a request. Errors: kSerialization for what is not an object and for members
/// of the wrong JSON type, kValidation for members that break their rule, all of them in one text.
/// Members that are not in the shape are ignored, as AWS ignores them.
template <typename T>
Result<T> read_shape(json::Value value) {
  if (value.type() != json::Value::Type::kObject) return Error(ErrorCode::kSerialization);
  Problems problems;
  T out{};
  shape_detail::read_members(value, nullptr, problems, out);
  TRY(problems.verdict());
  return out;
}

/// kUnsupportedOperation for the first member that is refused and asks for something.
template <typename T>
Result<void> check_refusals(const T& request) {
  std::string_view refusal;
  std::apply(
      [&](const auto&... member) {
        const auto look = [&](const auto& one) {
          if (one.rule.refusal.empty() || !refusal.empty()) return;
          if (shape_detail::is_given(request.*one.pointer)) refusal = one.rule.refusal;
        };
        (look(member), ...);
      },
      shape_detail::kShape<T>);
  if (!refusal.empty()) return Error(ErrorCode::kUnsupportedOperation, std::string(refusal));
  return {};
}

/// Writes a struct as the wire has it: members in the order of the shape, unset ones left out.
template <typename T>
void write_shape(json::Writer& writer, const T& value) {
  shape_detail::write(writer, shape_detail::Form::kAnswer, value);
}

/// What the audit event shows of a struct, with CloudTrail's spelling of members and dates, in
/// JSON; `null` if that is nothing.
template <typename T>
std::string audit_form(const T& value) {
  json::Writer writer;
  writer.begin_object();
  bool any = false;
  std::apply(
      [&](const auto&... member) {
        const auto look = [&](const auto& one) {
          if (!shape_detail::in_audit(one, value)) return;
          any = true;
          shape_detail::write_member(writer, shape_detail::Form::kAudit, one, value);
        };
        (look(member), ...);
      },
      shape_detail::kShape<T>);
  writer.end_object();
  return any ? std::string(writer.text()) : "null";
}

/// Whether a shape lists its members as AWS sends them: by name.
template <typename T>
constexpr bool in_wire_order() {
  return std::apply(
      [](const auto&... member) {
        std::string_view last;
        const auto follows = [&](std::string_view name) {
          return std::exchange(last, name) < name;
        };
        return (follows(member.name) && ...);
      },
      shape_detail::kShape<T>);
}

}  // namespace keyhold::api

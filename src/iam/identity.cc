#include "iam/identity.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <functional>

#include "iam/ascii.h"
#include "iam/credential.h"

namespace keyhold::iam {
namespace {

struct KindWord {
  IdentityKind kind;
  std::string_view word;
};
constexpr std::array<KindWord, 3> kKinds{{{IdentityKind::kUser, "user"},
                                          {IdentityKind::kGroup, "group"},
                                          {IdentityKind::kRole, "role"}}};

Error invalid(std::string message) { return Error(ErrorCode::kValidation, std::move(message)); }

bool applies_to(IdentityKind kind, std::initializer_list<IdentityKind> kinds) {
  return std::find(kinds.begin(), kinds.end(), kind) != kinds.end();
}

void write_value(json::Writer& writer, const json::Value& value) {
  using Type = json::Value::Type;
  switch (value.type()) {
    case Type::kNull:
      writer.null();
      return;
    case Type::kFalse:
    case Type::kTrue:
      writer.boolean(value.type() == Type::kTrue);
      return;
    case Type::kString:
      writer.string(*value.string());
      return;
    case Type::kNumber:
      if (const auto integer = value.integer()) {
        writer.integer(*integer);
      } else {
        std::array<char, 32> text{};
        std::snprintf(text.data(), text.size(), "%.17g", *value.number());
        writer.raw(text.data());
      }
      return;
    case Type::kArray:
      writer.begin_array();
      for (std::size_t i = 0; i < value.size(); ++i) write_value(writer, value.element(i));
      writer.end_array();
      return;
    case Type::kObject:
      break;
  }
  writer.begin_object();
  value.for_each_member([&](std::string_view name, json::Value member) {
    writer.key(name);
    write_value(writer, member);
    return true;
  });
  writer.end_object();
}

/// A policy: JSON, or JSON in a string.
std::string policy_text(const json::Value& value) {
  if (const auto text = value.string()) return std::string(*text);
  json::Writer writer;
  write_value(writer, value);
  return std::string(writer.text());
}

Result<std::string> read_text(std::string_view member, const json::Value& value) {
  const auto text = value.string();
  if (!text) return invalid(std::string(member) + " must be a string");
  return std::string(*text);
}

Result<void> read_tags(const json::Value& value, IdentityDefinition& definition) {
  if (value.type() != json::Value::Type::kObject) return invalid("tags must be an object");
  Result<void> result;
  value.for_each_member([&](std::string_view key, json::Value text) {
    auto read = read_text("a tag's value", text);
    if (!read) {
      result = read.error();
      return false;
    }
    definition.tags.push_back({std::string(key), std::move(*read)});
    return true;
  });
  return result;
}

Result<void> read_policies(const json::Value& value, IdentityDefinition& definition) {
  if (value.type() != json::Value::Type::kObject) return invalid("policies must be an object");
  value.for_each_member([&](std::string_view name, json::Value document) {
    definition.policies.push_back({std::string(name), policy_text(document)});
    return true;
  });
  return {};
}

Result<void> read_max_session(const json::Value& value, IdentityDefinition& definition) {
  const auto seconds = value.integer();
  if (!seconds) return invalid("maxSessionDuration must be a number of seconds");
  definition.max_session = std::chrono::seconds(*seconds);
  return {};
}

Result<void> read_groups(const json::Value& value, IdentityDefinition& definition) {
  if (value.type() != json::Value::Type::kArray) return invalid("groups must be an array");
  for (std::size_t i = 0; i < value.size(); ++i) {
    TRY_ASSIGN(auto name, read_text("a group's name", value.element(i)));
    definition.groups.push_back(std::move(name));
  }
  return {};
}

using Member = Result<void> (*)(const json::Value& value, IdentityDefinition& definition);

struct MemberRow {
  std::string_view name;
  Member read;
};

constexpr std::array kMembers = std::to_array<MemberRow>({
    {"type",
     [](const json::Value& value, IdentityDefinition& definition) -> Result<void> {
       const auto kind = parse_identity_kind(value.string().value_or(""));
       if (!kind) return invalid("type must be user, group or role");
       definition.kind = *kind;
       return {};
     }},
    {"account",
     [](const json::Value& value, IdentityDefinition& definition) -> Result<void> {
       TRY_ASSIGN(definition.account, read_text("account", value));
       return {};
     }},
    {"path",
     [](const json::Value& value, IdentityDefinition& definition) -> Result<void> {
       TRY_ASSIGN(definition.path, read_text("path", value));
       return {};
     }},
    {"name",
     [](const json::Value& value, IdentityDefinition& definition) -> Result<void> {
       TRY_ASSIGN(definition.name, read_text("name", value));
       return {};
     }},
    {"tags", read_tags},
    {"policies", read_policies},
    {"boundary",
     [](const json::Value& value, IdentityDefinition& definition) -> Result<void> {
       definition.boundary = policy_text(value);
       return {};
     }},
    {"trustPolicy",
     [](const json::Value& value, IdentityDefinition& definition) -> Result<void> {
       definition.trust = policy_text(value);
       return {};
     }},
    {"maxSessionDuration", read_max_session},
    {"groups", read_groups},
});

/// What does not depend on the policies' texts.
Result<void> check_definition(const IdentityDefinition& definition) {
  using enum IdentityKind;
  const IdentityKind kind = definition.kind;
  if (!definition.tags.empty() && !applies_to(kind, {kUser, kRole})) {
    return invalid("a group has no tags");
  }
  if (definition.boundary && !applies_to(kind, {kUser, kRole})) {
    return invalid("a group has no boundary");
  }
  if (definition.trust.has_value() != (kind == kRole)) {
    return invalid(kind == kRole ? "a role needs a trust policy"
                                 : "only a role has a trust policy");
  }
  if (!definition.groups.empty() && kind != kUser) return invalid("only a user is in groups");
  if (definition.max_session < kDefaultSession || definition.max_session > kLongestSession) {
    return invalid("maxSessionDuration must be from 3600 to 43200 seconds");
  }
  if (definition.policies.size() > kMaxPolicies) return invalid("there are too many policies");
  if (definition.tags.size() > kMaxTags) return invalid("there are too many tags");
  std::vector<std::string> keys;
  for (const Tag& tag : definition.tags) {
    if (tag.key.empty() || tag.key.size() > kMaxTagKey || tag.value.size() > kMaxTagValue) {
      return invalid("a tag has a key of 1 to 128 bytes and a value of at most 256");
    }
    keys.push_back(to_lower(tag.key));  // IAM's tag keys do not depend on case
  }
  std::sort(keys.begin(), keys.end());
  if (std::adjacent_find(keys.begin(), keys.end()) != keys.end()) {
    return invalid("there are two tags of one key");
  }
  return {};
}

Result<PolicyPtr> compile(std::string_view text, DocumentKind kind, const std::string& name,
                          KnowsKey knows_key) {
  auto document = PolicyDocument::parse(text, kind, name, knows_key);
  if (!document) {
    const Error& error = document.error();
    return Error(error.code(), name + ": " +
                                   (error.message().empty() ? "the policy is not a JSON document"
                                                            : error.message()));
  }
  return PolicyPtr(std::make_shared<const PolicyDocument>(std::move(*document)));
}

}  // namespace

std::string_view to_string(IdentityKind kind) {
  return kKinds[static_cast<std::size_t>(kind)].word;
}

std::optional<IdentityKind> parse_identity_kind(std::string_view word) {
  const auto row = std::ranges::find(kKinds, word, &KindWord::word);
  return row == kKinds.end() ? std::nullopt : std::optional(row->kind);
}

Result<IdentityDefinition> parse_definition(const json::Value& value,
                                            std::string_view default_account) {
  if (value.type() != json::Value::Type::kObject) {
    return invalid("a principal is written as a JSON object");
  }
  IdentityDefinition definition;
  definition.account = default_account;
  if (!value.member("type")) return invalid("a principal needs a type");
  Result<void> result;
  value.for_each_member([&](std::string_view name, json::Value member) {
    const auto row = std::ranges::find(kMembers, name, &MemberRow::name);
    result = row == kMembers.end()
                 ? Result<void>(invalid("there is no member " + std::string(name)))
                 : row->read(member, definition);
    return static_cast<bool>(result);
  });
  TRY(std::move(result));
  TRY(check_definition(definition));
  return definition;
}

std::string render_definition(const IdentityDefinition& definition) {
  json::Writer writer;
  writer.begin_object();
  writer.key("type").string(to_string(definition.kind));
  writer.key("account").string(definition.account);
  writer.key("path").string(definition.path);
  writer.key("name").string(definition.name);
  if (!definition.tags.empty()) {
    writer.key("tags").begin_object();
    for (const Tag& tag : definition.tags) writer.key(tag.key).string(tag.value);
    writer.end_object();
  }
  if (!definition.policies.empty()) {
    writer.key("policies").begin_object();
    for (const NamedPolicy& policy : definition.policies) {
      writer.key(policy.name).string(policy.document);
    }
    writer.end_object();
  }
  if (definition.boundary) writer.key("boundary").string(*definition.boundary);
  if (definition.trust) writer.key("trustPolicy").string(*definition.trust);
  if (definition.kind == IdentityKind::kRole) {
    writer.key("maxSessionDuration").integer(definition.max_session.count());
  }
  if (!definition.groups.empty()) {
    writer.key("groups").begin_array();
    for (const std::string& group : definition.groups) writer.string(group);
    writer.end_array();
  }
  writer.end_object();
  return std::string(writer.text());
}

Result<Identity> compile_identity(const IdentityDefinition& definition, KnowsKey knows_key) {
  TRY(check_definition(definition));
  Identity identity;
  identity.kind = definition.kind;
  const std::string text =
      std::string(to_string(definition.kind)) + definition.path + definition.name;
  TRY_ASSIGN(identity.principal, parse_identity(text, definition.account));
  identity.tags = definition.tags;
  identity.max_session = definition.max_session;
  identity.groups = definition.groups;
  for (const NamedPolicy& policy : definition.policies) {
    TRY_ASSIGN(auto compiled,
               compile(policy.document, DocumentKind::kIdentityPolicy, policy.name, knows_key));
    identity.policies.push_back(std::move(compiled));
  }
  if (definition.boundary) {
    TRY_ASSIGN(identity.boundary, compile(*definition.boundary, DocumentKind::kPermissionsBoundary,
                                          "boundary", knows_key));
  }
  if (definition.trust) {
    TRY_ASSIGN(identity.trust,
               compile(*definition.trust, DocumentKind::kTrustPolicy, "trust policy", knows_key));
  }
  identity.effective_policies = identity.policies;
  return identity;
}

}  // namespace keyhold::iam

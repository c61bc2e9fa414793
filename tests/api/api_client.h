// Calls to a dispatcher as a test writes them, and answers as it reads them.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>

#include "api/dispatcher.h"
#include "base/json.h"
#include "iam/identity.h"
#include "kms/condition_keys.h"

namespace keyhold::api::test {

inline constexpr std::string_view kAccount = "111122223333";
inline constexpr std::string_view kRegion = "eu-central-1";

struct Reply {
  int status = 0;
  std::string body;
  CallRecord record;

  /// The value at a path of member names and element indices, `Keys.0.KeyId`, as JSON has it:
  /// strings bare, numbers and booleans as words; nothing if there is none.
  std::optional<std::string> at(std::string_view path) const;
  /// Why the call failed, as the wire names it; empty if it did not.
  std::string_view error_code() const {
    return record.error ? error_row(record.error->code()).wire_name : std::string_view();
  }
  /// In which words; empty likewise.
  std::string_view error_message() const {
    return record.error ? std::string_view(record.error->message()) : std::string_view();
  }
  /// What at() answers, which must be there.
  std::string text(std::string_view path) const;
};

inline std::optional<json::Value> find(json::Value value, std::string_view path) {
  while (!path.empty()) {
    const auto dot = path.find('.');
    const std::string_view step = path.substr(0, dot);
    path.remove_prefix(dot == std::string_view::npos ? path.size() : dot + 1);
    if (value.type() == json::Value::Type::kArray) {
      const std::size_t index = std::stoul(std::string(step));
      if (index >= value.size()) return std::nullopt;
      value = value.element(index);
    } else {
      const auto member = value.member(step);
      if (!member) return std::nullopt;
      value = *member;
    }
  }
  return value;
}

inline std::optional<std::string> Reply::at(std::string_view path) const {
  std::string copy = body;
  const auto document =
      json::Document::parse({reinterpret_cast<std::uint8_t*>(copy.data()), copy.size()});
  if (!document) return std::nullopt;
  const auto value = find(document->root(), path);
  if (!value) return std::nullopt;
  if (const auto text = value->string()) return std::string(*text);
  if (const auto boolean = value->boolean()) return *boolean ? "true" : "false";
  if (const auto integer = value->integer()) return std::to_string(*integer);
  return "";
}

inline std::string Reply::text(std::string_view path) const {
  const auto value = at(path);
  EXPECT_TRUE(value) << path << " in " << body;
  return value.value_or("");
}

inline constexpr std::string_view kAllowAll =
    R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]})";

/// A caller with one identity policy; none for an empty text. `name` is `root`, `user/<name>`, or
/// `assumed-role/<role>/<session>`.
inline iam::Actor make_actor(std::string_view account, std::string_view name,
                             std::string_view policy = kAllowAll, std::vector<iam::Tag> tags = {}) {
  iam::Actor actor;
  iam::Principal& principal = actor.principal;
  principal.account = account;
  const bool session = name.starts_with("assumed-role/");
  const std::string service = session ? "sts" : "iam";
  principal.arn = "arn:aws:" + service + "::" + principal.account + ":" + std::string(name);
  iam::IdentityDefinition definition;
  definition.account = account;
  definition.tags = std::move(tags);
  if (!policy.empty()) definition.policies = {{"policy", std::string(policy)}};
  if (session) {
    const std::string role(name.substr(13, name.find('/', 13) - 13));
    principal.type = iam::PrincipalType::kAssumedRole;
    principal.role_arn = "arn:aws:iam::" + principal.account + ":role/" + role;
    principal.path = "/";
    principal.name = role;
    definition.kind = iam::IdentityKind::kRole;
    definition.trust = R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",)"
                       R"("Action":"sts:AssumeRole"}]})";
  } else if (name == "root") {
    principal.type = iam::PrincipalType::kRoot;
    return actor;
  } else {
    principal.path = "/";
    principal.name = name.substr(5);
  }
  definition.name = principal.name;
  auto identity = iam::compile_identity(definition, kms::is_condition_key);
  EXPECT_TRUE(identity) << identity.error().message();
  if (identity) actor.identity = std::make_shared<const iam::Identity>(std::move(*identity));
  return actor;
}

class Client {
 public:
  explicit Client(kms::Service& service, std::string_view account = kAccount,
                  std::string_view region = kRegion)
      : Client(service, make_actor(account, "user/test"), region) {}
  Client(kms::Service& service, iam::Actor actor, std::string_view region = kRegion)
      : dispatcher_(service),
        actor_(std::move(actor)),
        requester_{actor_.principal.account,
                   actor_.principal.arn,
                   std::string(region),
                   &actor_,
                   {TimePoint(milliseconds(1'767'225'600'123)), "192.0.2.7", iam::Transport::kTls,
                    "agent", "", std::nullopt}} {}
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  const std::string& arn() const { return actor_.principal.arn; }

  Reply call(std::string_view operation, std::string body = "{}") {
    return send("TrentService." + std::string(operation), std::move(body));
  }
  /// `target` is the whole of X-Amz-Target.
  Reply send(std::string_view target, std::string body) {
    const Answer answer =
        dispatcher_.handle({target,
                            {reinterpret_cast<std::uint8_t*>(body.data()), body.size()},
                            requester_,
                            "r-1",
                            "e-1"});
    return {answer.status, std::string(answer.body.text()), answer.record};
  }

 private:
  Dispatcher dispatcher_;
  iam::Actor actor_;
  Requester requester_;
};

/// A JSON string literal.
inline std::string json_string(std::string_view text) {
  json::Writer writer;
  writer.string(text);
  return std::string(writer.text());
}

/// That a call failed with exactly this error; an empty text must not be sent at all.
inline void expect_error(const Reply& reply, std::string_view type, std::string_view text = {}) {
  const std::string member = type == "AccessDeniedException" ? "Message" : "message";
  std::string body = "{\"__type\":" + json_string(type);
  if (!text.empty()) body += ",\"" + member + "\":" + json_string(text);
  EXPECT_EQ(reply.body, body + "}");
  const auto code = error_code(type);
  ASSERT_TRUE(code) << type;
  EXPECT_EQ(reply.status, error_row(*code).http_status);
  ASSERT_TRUE(reply.record.error);
  EXPECT_EQ(reply.record.error->code(), *code);
  EXPECT_EQ(reply.record.error->message(), text);
}

/// That a request broke the model's constraints in exactly this way.
inline void expect_invalid(const Reply& reply, std::string_view violation) {
  expect_error(reply, "ValidationException",
               "1 validation error detected: " + std::string(violation));
}

}  // namespace keyhold::api::test

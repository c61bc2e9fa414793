// Policies and requests in few words.
#pragma once

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "iam/evaluation.h"

namespace keyhold::iam::test {

inline constexpr std::string_view kAccountId = "111122223333";
inline constexpr std::string_view kOtherAccountId = "444455556666";
inline constexpr std::string_view kKeyArn =
    "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

inline Principal user(std::string_view name, std::string_view account = kAccountId) {
  return *parse_principal("user/" + std::string(name), account);
}

inline Principal root(std::string_view account = kAccountId) {
  return *parse_principal("root", account);
}

inline Principal session_of(std::string_view role, std::string_view session,
                            std::string_view account = kAccountId) {
  Principal principal;
  principal.account = account;
  principal.type = PrincipalType::kAssumedRole;
  principal.path = "/";
  principal.name = role;
  principal.role_arn = "arn:aws:iam::" + std::string(account) + ":role/" + std::string(role);
  principal.arn = "arn:aws:sts::" + std::string(account) + ":assumed-role/" + std::string(role) +
                  "/" + std::string(session);
  principal.id = "AROAEXAMPLE:" + std::string(session);
  return principal;
}

/// Context keys of a service named `app`: those in `values` are present, the other keys that it
/// knows are absent. `app:identityonly` can be read by identity policies alone.
class AppKeys final : public ContextKeys {
 public:
  ContextValue find(std::string_view name, DocumentKind kind) const override {
    if (name == "app:identityonly" && kind == DocumentKind::kResourcePolicy) {
      return ContextValue::absent();
    }
    const auto value = values.find(std::string(name));
    if (value != values.end()) return ContextValue::of(value->second);
    return knows(name) ? ContextValue::absent() : ContextValue{};
  }
  static bool knows(std::string_view name) {
    return name.starts_with("aws:requesttag/") || name.starts_with("aws:resourcetag/") ||
           name == "aws:tagkeys" || (name.starts_with("app:") && !name.starts_with("app:strange"));
  }

  std::map<std::string, std::vector<std::string>> values;
};

/// Everything a request refers to.
struct Asked {
  Principal principal = user("alice");
  std::string action = "app:Read";
  std::string resource{kKeyArn};
  std::string resource_account{kAccountId};
  Environment environment{TimePoint(std::chrono::seconds(1'700'000'000)),
                          "203.0.113.7",
                          Transport::kPlain,
                          "a client",
                          "us-east-1",
                          {}};
  AppKeys keys;

  Request request() const {
    return {principal, action, resource, resource_account, environment, &keys};
  }
};

inline Result<PolicyDocument> parse_text(std::string_view text, DocumentKind kind) {
  return PolicyDocument::parse(text, kind, "p", AppKeys::knows);
}

inline PolicyPtr policy(DocumentKind kind, std::string_view text) {
  auto document = parse_text(text, kind);
  EXPECT_TRUE(document) << text << ": " << document.error().message();
  return document ? std::make_shared<const PolicyDocument>(std::move(*document)) : nullptr;
}

/// A document of these statements, in the language of 2012.
inline std::string document_of(std::string_view statements) {
  return R"({"Version":"2012-10-17","Statement":[)" + std::string(statements) + "]}";
}

inline PolicyPtr identity(std::string_view statements) {
  return policy(DocumentKind::kIdentityPolicy, document_of(statements));
}
inline PolicyPtr resource(std::string_view statements) {
  return policy(DocumentKind::kResourcePolicy, document_of(statements));
}
inline PolicyPtr boundary(std::string_view statements) {
  return policy(DocumentKind::kPermissionsBoundary, document_of(statements));
}
inline PolicyPtr session_policy(std::string_view statements) {
  return policy(DocumentKind::kSessionPolicy, document_of(statements));
}

inline constexpr std::string_view kAllowAll = R"({"Effect":"Allow","Action":"*","Resource":"*"})";
inline constexpr std::string_view kDenyAll = R"({"Effect":"Deny","Action":"*","Resource":"*"})";

/// A statement of a key policy for that Principal element.
inline std::string for_principal(std::string_view principal, std::string_view effect = "Allow",
                                 std::string_view element = "Principal") {
  return R"({"Effect":")" + std::string(effect) + R"(",")" + std::string(element) + R"(":)" +
         std::string(principal) + R"(,"Action":"app:*","Resource":"*"})";
}

/// Documents that own themselves.
struct Documents {
  PolicyPtr resource;
  std::vector<PolicyPtr> identity{};
  PolicyPtr boundary{};
  std::vector<PolicyPtr> session{};

  PolicySet set() const { return {resource.get(), identity, boundary.get(), session}; }
};

}  // namespace keyhold::iam::test

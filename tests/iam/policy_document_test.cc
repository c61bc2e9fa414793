#include "iam/policy_document.h"

#include <gtest/gtest.h>

#include "tests/iam/policy_fixture.h"

namespace keyhold::iam {
namespace {

using namespace test;
using enum DocumentKind;

/// The sentence that a document is refused with; `taken` if it is not.
std::string refusal(std::string_view text, DocumentKind kind) {
  const auto document = parse_text(text, kind);
  if (document) return "taken";
  EXPECT_EQ(document.error().code(), ErrorCode::kMalformedPolicyDocument) << text;
  return document.error().message();
}

constexpr std::string_view kSyntax = "Syntax errors in policy.";
constexpr std::string_view kVendor =
    "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.";
constexpr std::string_view kNoActions = "Policy statement must contain actions.";
constexpr std::string_view kNoResources = "Policy statement must contain resources.";
constexpr std::string_view kBadPrincipals =
    "Policy contains a statement with one or more invalid principals.";
constexpr std::string_view kNoPrincipal = "Policy contains a statement with no principal";

TEST(PolicyDocument, ThatIsNotJsonIsRefusedWithoutAWord) {
  for (const std::string_view text :
       {"", "{", "policy", R"({"Statement":[],"Statement":[]})", R"({"Version":"2012-10-17"} x)"}) {
    EXPECT_EQ(refusal(text, kIdentityPolicy), "") << text;
  }
}

TEST(PolicyDocument, OfAnotherShapeIsRefused) {
  const std::string statement(kAllowAll);
  for (const std::string& text : std::vector<std::string>{
           "[]",
           "1",
           R"({"Version":"2012-10-17"})",
           R"({"Statement":[]})",
           R"({"Statement":"x"})",
           R"({"Statement":[1]})",
           R"({"Version":"2020-01-01","Statement":)" + statement + "}",
           R"({"Version":7,"Statement":)" + statement + "}",
           R"({"Id":7,"Statement":)" + statement + "}",
           R"({"Comment":"x","Statement":)" + statement + "}",
           document_of(R"({"Effect":"Allow","Action":"*","Resource":"*","Comment":"x"})"),
           document_of(R"({"effect":"Allow","Effect":"Allow","Action":"*","Resource":"*"})"),
           document_of(R"({"Effect":"Allow","Action":{},"Resource":"*"})"),
           document_of(R"({"Effect":"Allow","Action":[["*"]],"Resource":"*"})"),
           document_of(R"({"Effect":"Allow","Action":"*","NotAction":"*","Resource":"*"})"),
           document_of(R"({"Effect":"Allow","Action":"*","Resource":"*","NotResource":"*"})"),
           document_of(R"({"Effect":"Allow","Action":"*","Resource":7})"),
           document_of(R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":[]})"),
           document_of(
               R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":"x"}})"),
           document_of(R"({"Effect":"Allow","Action":"*","Resource":"*",)"
                       R"("Condition":{"Bool":{"aws:SecureTransport":{}}}})"),
           document_of(R"({"Effect":"Allow","Action":"*","Resource":"*",)"
                       R"("Condition":{"Bool":{"aws:SecureTransport":[["true"]]}}})"),
       }) {
    EXPECT_EQ(refusal(text, kIdentityPolicy), kSyntax) << text;
  }
}

TEST(PolicyDocument, NamesWhatAStatementLacksOrHasTooMuch) {
  const struct {
    DocumentKind kind;
    std::string_view statement;
    std::string_view sentence;
  } cases[] = {
      {kIdentityPolicy, R"({"Action":"*","Resource":"*"})", "Missing required field Effect"},
      {kIdentityPolicy, R"({"Effect":"allow","Action":"*","Resource":"*"})",
       "Invalid effect: allow"},
      {kIdentityPolicy, R"({"Effect":"Allow","Resource":"*"})", kNoActions},
      {kIdentityPolicy, R"({"Effect":"Allow","Action":[],"Resource":"*"})", kNoActions},
      {kIdentityPolicy, R"({"Effect":"Allow","Action":"*"})", kNoResources},
      {kIdentityPolicy, R"({"Effect":"Allow","Action":"*","Resource":[]})", kNoResources},
      {kIdentityPolicy, R"({"Effect":"Allow","Action":"Encrypt","Resource":"*"})", kVendor},
      {kIdentityPolicy, R"({"Effect":"Allow","Action":"app:","Resource":"*"})", kVendor},
      {kIdentityPolicy, R"({"Effect":"Allow","Action":":Read","Resource":"*"})", kVendor},
      {kIdentityPolicy, R"({"Effect":"Allow","Action":"app:Re ad","Resource":"*"})", kVendor},
      {kIdentityPolicy, R"({"Effect":"Allow","Action":"*","Resource":"key/1"})",
       "Resource key/1 must be in ARN format or \"*\"."},
      {kIdentityPolicy,
       R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Like":{"app:a":"b"}}})",
       "Invalid Condition type : Like."},
      {kIdentityPolicy, R"({"Sid":"a b","Effect":"Allow","Action":"*","Resource":"*"})",
       "Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular "
       "expression [0-9A-Za-z]*"},
      {kIdentityPolicy, R"({"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"})",
       "Policy document should not specify a principal."},
      {kPermissionsBoundary, R"({"Effect":"Allow","NotPrincipal":"*","Action":"*","Resource":"*"})",
       "Policy document should not specify a principal."},
      {kSessionPolicy, R"({"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"})",
       "Policy document should not specify a principal."},
      {kTrustPolicy, R"({"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"})",
       "Has prohibited field Resource"},
      {kTrustPolicy, R"({"Effect":"Allow","Action":"*"})", kNoPrincipal},
      {kResourcePolicy, R"({"Effect":"Allow","Action":"*","Resource":"*"})", kNoPrincipal},
      {kResourcePolicy, R"({"Effect":"Allow","Principal":{},"Action":"*","Resource":"*"})",
       kNoPrincipal},
      {kResourcePolicy, R"({"Effect":"Allow","Principal":{"AWS":[]},"Action":"*","Resource":"*"})",
       kNoPrincipal},
      {kResourcePolicy, R"({"Effect":"Allow","Principal":"*","Action":"*"})", kNoResources},
      {kResourcePolicy,
       R"({"Effect":"Allow","Principal":"*","Action":"*","Resource":"arn:aws:kms:::key/1"})",
       "Resource arn:aws:kms:::key/1 must be \"*\"."},
      {kResourcePolicy, R"({"Effect":"Allow","Principal":"*","Action":"*","NotResource":"*"})",
       "Has prohibited field NotResource"},
  };
  for (const auto& c : cases) {
    EXPECT_EQ(refusal(document_of(c.statement), c.kind), c.sentence) << c.statement;
  }
}

TEST(PolicyDocument, SidsAreUnique) {
  const std::string named = R"({"Sid":"A","Effect":"Allow","Action":"*","Resource":"*"})";
  EXPECT_EQ(refusal(document_of(named), kIdentityPolicy), "taken");
  EXPECT_EQ(refusal(document_of(named + "," + named), kIdentityPolicy),
            "Statement IDs (SID) in a single policy must be unique.");
}

TEST(PolicyDocument, PrincipalsThatNameNobodyAreRefused) {
  for (const std::string_view value :
       {"", "alice", "1111222233334", "arn:aws:iam::111122223333:user/*",
        "arn:aws:iam::111122223333:*", "arn:aws:iam::*:root", "arn:aws:iam::111122223333:user/",
        "arn:aws:iam::111122223333:group/g", "arn:aws:iam::1111:user/a",
        "arn:aws-cn:iam::111122223333:user/a", "arn:aws:iam:us-east-1:111122223333:user/a",
        "arn:aws:sts::111122223333:assumed-role/r", "arn:aws:sts::111122223333:assumed-role/r/s/t",
        "arn:aws:sts::111122223333:assumed-role//s", "arn:aws:s3:::bucket", "AIDAEXAMPLE"}) {
    EXPECT_EQ(refusal(document_of(for_principal(R"({"AWS":")" + std::string(value) + "\"}")),
                      kResourcePolicy),
              kBadPrincipals)
        << value;
  }
  for (const std::string_view principal :
       {R"("alice")", R"({"CanonicalUser":"x"})", R"({"aws":"*"})", R"({"Service":"kms"})",
        R"({"Federated":"issuer.example.com"})"}) {
    EXPECT_EQ(refusal(document_of(for_principal(principal)), kResourcePolicy), kBadPrincipals)
        << principal;
  }
  for (const std::string_view principal :
       {R"("*")", R"({"AWS":"*"})", R"({"AWS":["111122223333","arn:aws:iam::111122223333:root"]})",
        R"({"AWS":"arn:aws:iam::111122223333:user/division/alice"})",
        R"({"AWS":"arn:aws:iam::111122223333:role/reader"})",
        R"({"AWS":"arn:aws:sts::111122223333:assumed-role/reader/s1"})",
        R"({"Service":"logs.amazonaws.com"})"}) {
    EXPECT_EQ(refusal(document_of(for_principal(principal)), kResourcePolicy), "taken")
        << principal;
  }
}

TEST(PolicyDocument, OfTheKindsLongestIsReadAndOneByteMoreIsNot) {
  for (const DocumentKind kind :
       {kResourcePolicy, kIdentityPolicy, kPermissionsBoundary, kSessionPolicy, kTrustPolicy}) {
    std::string statement(kAllowAll);
    if (kind == kResourcePolicy) statement = for_principal("\"*\"");
    if (kind == kTrustPolicy) statement = R"({"Effect":"Allow","Principal":"*","Action":"*"})";
    std::string text = document_of(statement);
    text.append(rules_of(kind).max_bytes - text.size(), ' ');
    EXPECT_TRUE(parse_text(text, kind));
    const auto longer = parse_text(text + " ", kind);
    ASSERT_FALSE(longer);
    EXPECT_EQ(longer.error().code(), ErrorCode::kLimitExceeded);
  }
  const auto huge = parse_text(std::string(128UL * 1024, '['), kResourcePolicy);
  EXPECT_EQ(huge.error().code(), ErrorCode::kLimitExceeded);
}

TEST(PolicyDocument, NestedTooDeepIsRefusedWithoutAWord) {
  const std::string deep = std::string(1000, '[') + std::string(1000, ']');
  EXPECT_EQ(refusal(document_of(R"({"Effect":"Allow","Action":"*","Resource":"*","Condition":)"
                                R"({"StringEquals":{"app:a":)" +
                                deep + "}}}"),
                    kIdentityPolicy),
            "");
}

TEST(PolicyDocument, FilledWithStatementsToItsBoundIsEvaluatedWhole) {
  std::string statements;
  const std::string deny =
      R"({"Effect":"Deny","Principal":"*","Action":"app:Other","Resource":"*"})";
  while (statements.size() + 2 * deny.size() < 32'000) statements += deny + ",";
  const PolicyPtr document = resource(statements + for_principal("\"*\""));
  ASSERT_TRUE(document);
  PolicySet set;
  set.resource = document.get();
  const Asked asked;
  const Decision decision = evaluate(set, asked.request());
  EXPECT_TRUE(decision.allowed());
  EXPECT_EQ(decision.statement, &document->statements().back());
}

TEST(PolicyDocument, ActionsDoNotDependOnCase) {
  Asked asked;
  asked.action = "app:ReadIt";
  const PolicyPtr document = identity(R"({"Effect":"Allow","Action":"APP:read*","Resource":"*"})");
  PolicySet set;
  set.identity = std::span(&document, 1);
  EXPECT_TRUE(evaluate(set, asked.request()).allowed());
}

TEST(PolicyDocument, NotActionAndNotResourceLeaveOutWhatTheyList) {
  const auto allowed = [](std::string_view statement) {
    const PolicyPtr document = identity(statement);
    PolicySet set;
    set.identity = std::span(&document, 1);
    const Asked asked;
    return evaluate(set, asked.request()).allowed();
  };
  EXPECT_TRUE(allowed(R"({"Effect":"Allow","NotAction":"app:Write","Resource":"*"})"));
  EXPECT_FALSE(allowed(R"({"Effect":"Allow","NotAction":"app:Re*","Resource":"*"})"));
  EXPECT_TRUE(
      allowed(R"({"Effect":"Allow","Action":"*","NotResource":"arn:aws:kms:us-east-1:*:key/9*"})"));
  EXPECT_FALSE(
      allowed(R"({"Effect":"Allow","Action":"*","NotResource":"arn:aws:kms:us-east-1:*:key/1*"})"));
  EXPECT_FALSE(
      allowed(R"({"Effect":"Allow","Action":"*","Resource":"arn:aws:kms:eu-west-1:*:key/*"})"));
}

}  // namespace
}  // namespace keyhold::iam

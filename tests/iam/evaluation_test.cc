#include "iam/evaluation.h"

#include <gtest/gtest.h>

#include "tests/iam/policy_fixture.h"

namespace keyhold::iam {
namespace {

using namespace test;

Decision decide(const Documents& documents, const Asked& asked = {}) {
  return evaluate(documents.set(), asked.request());
}

std::string account_root(std::string_view account) {
  return R"({"AWS":"arn:aws:iam::)" + std::string(account) + R"(:root"})";
}

std::string aws(std::string_view arn) { return R"({"AWS":")" + std::string(arn) + R"("})"; }

Asked asked_by(Principal principal) {
  Asked asked;
  asked.principal = std::move(principal);
  return asked;
}

TEST(Evaluation, NothingIsAllowedThatNothingAllows) {
  const Decision decision = decide({});
  EXPECT_EQ(decision.verdict, Verdict::kImplicitDeny);
  EXPECT_EQ(decision.kind, DocumentKind::kIdentityPolicy);
  EXPECT_EQ(denial_reason(decision, "app:Read"),
            "because no identity-based policy allows the app:Read action");
}

TEST(Evaluation, AnIdentityPolicyDecidesWhereTheResourceHasNone) {
  const Documents documents{nullptr, {identity(kAllowAll)}};
  const Decision decision = decide(documents);
  EXPECT_EQ(decision.verdict, Verdict::kAllow);
  EXPECT_EQ(decision.document, documents.identity[0].get());
  EXPECT_EQ(decision.statement, &documents.identity[0]->statements()[0]);
}

TEST(Evaluation, AnIdentityPolicyAloneNeverOpensAResourceThatHasAPolicy) {
  const Decision decision =
      decide({resource(for_principal(aws(user("bob").arn))), {identity(kAllowAll)}});
  EXPECT_EQ(decision.verdict, Verdict::kImplicitDeny);
  EXPECT_EQ(decision.kind, DocumentKind::kResourcePolicy);
  EXPECT_EQ(denial_reason(decision, "app:Read"),
            "because no resource-based policy allows the app:Read action");
}

TEST(Evaluation, AResourcePolicyThatNamesTheAccountLeavesItToIdentityPolicies) {
  const PolicyPtr key = resource(for_principal(account_root(kAccountId)));
  const Decision refused = decide({key});
  EXPECT_EQ(refused.verdict, Verdict::kImplicitDeny);
  EXPECT_EQ(refused.kind, DocumentKind::kIdentityPolicy);
  EXPECT_EQ(refused.delegation, &key->statements()[0]);
  EXPECT_TRUE(decide({key, {identity(kAllowAll)}}).allowed());
  EXPECT_FALSE(
      decide({resource(for_principal(account_root(kOtherAccountId))), {identity(kAllowAll)}})
          .allowed());
}

TEST(Evaluation, AResourcePolicyThatNamesTheUserNeedsNoIdentityPolicy) {
  EXPECT_TRUE(decide({resource(for_principal(aws(user("alice").arn)))}).allowed());
  EXPECT_FALSE(decide({resource(for_principal(aws(user("alicia").arn)))}).allowed());
}

TEST(Evaluation, AnExplicitDenyInAnyDocumentWins) {
  const PolicyPtr key = resource(for_principal(aws(user("alice").arn)));
  const PolicyPtr allow = identity(kAllowAll);
  const PolicyPtr bounded = boundary(kAllowAll);
  const PolicyPtr limited = session_policy(kAllowAll);
  ASSERT_TRUE(decide({key, {allow}, bounded, {limited}}).allowed());
  const struct {
    Documents documents;
    std::string_view reason;
  } cases[] = {
      {{resource(for_principal(aws(user("alice").arn)) + "," + for_principal("\"*\"", "Deny")),
        {allow},
        bounded,
        {limited}},
       "with an explicit deny in a resource-based policy"},
      {{key, {allow, identity(kDenyAll)}, bounded, {limited}},
       "with an explicit deny in an identity-based policy"},
      {{key, {allow}, boundary(kDenyAll), {limited}},
       "with an explicit deny in a permissions boundary"},
      {{key, {allow}, bounded, {limited, session_policy(kDenyAll)}},
       "with an explicit deny in a session policy"},
  };
  for (const auto& c : cases) {
    const Decision decision = decide(c.documents);
    EXPECT_EQ(decision.verdict, Verdict::kExplicitDeny);
    EXPECT_EQ(denial_reason(decision, "app:Read"), c.reason);
    ASSERT_NE(decision.statement, nullptr);
    EXPECT_EQ(decision.statement->effect, PolicyEffect::kDeny);
  }
}

TEST(Evaluation, ABoundaryAndASessionPolicyOnlyTakeAway) {
  const PolicyPtr key = resource(for_principal(account_root(kAccountId)));
  const PolicyPtr nothing = boundary(R"({"Effect":"Allow","Action":"app:Write","Resource":"*"})");
  const PolicyPtr no_session =
      session_policy(R"({"Effect":"Allow","Action":"app:Write","Resource":"*"})");
  const Decision by_boundary = decide({key, {identity(kAllowAll)}, nothing});
  EXPECT_EQ(by_boundary.kind, DocumentKind::kPermissionsBoundary);
  EXPECT_EQ(denial_reason(by_boundary, "app:Read"),
            "because no permissions boundary allows the app:Read action");
  const Decision by_session = decide({key, {identity(kAllowAll)}, nullptr, {no_session}});
  EXPECT_EQ(by_session.kind, DocumentKind::kSessionPolicy);
  EXPECT_EQ(denial_reason(by_session, "app:Read"),
            "because no session policy allows the app:Read action");
  EXPECT_FALSE(decide({key, {}, boundary(kAllowAll), {session_policy(kAllowAll)}}).allowed());
  EXPECT_TRUE(decide({key,
                      {identity(kAllowAll)},
                      boundary(kAllowAll),
                      {no_session, session_policy(kAllowAll)}})
                  .allowed());
}

TEST(Evaluation, WhoIsNamedByTheResourcesPolicyIsBoundOnlyByExplicitDenies) {
  const PolicyPtr nothing = boundary(R"({"Effect":"Allow","Action":"app:Write","Resource":"*"})");
  const PolicyPtr limited =
      session_policy(R"({"Effect":"Allow","Action":"app:Write","Resource":"*"})");
  EXPECT_TRUE(decide({resource(for_principal(aws(user("alice").arn))), {}, nothing}).allowed());
  const Asked session = asked_by(session_of("reader", "s1"));
  EXPECT_TRUE(
      decide({resource(for_principal(aws(session.principal.arn))), {}, nothing, {limited}}, session)
          .allowed());
  // The role's name and `*` name the session less closely.
  for (const std::string& principal : {aws(session.principal.role_arn), std::string("\"*\"")}) {
    const PolicyPtr key = resource(for_principal(principal));
    EXPECT_TRUE(decide({key}, session).allowed());
    EXPECT_EQ(decide({key, {}, nothing}, session).kind, DocumentKind::kPermissionsBoundary);
    EXPECT_EQ(decide({key, {}, nullptr, {limited}}, session).kind, DocumentKind::kSessionPolicy);
  }
}

TEST(Evaluation, AcrossAccountsBothSidesMustAllow) {
  const Asked stranger = asked_by(user("alice", kOtherAccountId));
  const PolicyPtr by_user = resource(for_principal(aws(stranger.principal.arn)));
  const PolicyPtr by_account = resource(for_principal(account_root(kOtherAccountId)));
  for (const PolicyPtr& key : {by_user, by_account}) {
    EXPECT_TRUE(decide({key, {identity(kAllowAll)}}, stranger).allowed());
    EXPECT_EQ(decide({key}, stranger).kind, DocumentKind::kIdentityPolicy);
  }
  EXPECT_EQ(
      decide({resource(for_principal(account_root(kAccountId))), {identity(kAllowAll)}}, stranger)
          .kind,
      DocumentKind::kResourcePolicy);
  EXPECT_FALSE(decide({nullptr, {identity(kAllowAll)}}, stranger).allowed());
}

TEST(Evaluation, RootHasWhatItsAccountHasAndNoMore) {
  const Asked by_root = asked_by(root());
  EXPECT_TRUE(decide({resource(for_principal(account_root(kAccountId)))}, by_root).allowed());
  EXPECT_TRUE(decide({}, by_root).allowed());
  EXPECT_FALSE(decide({resource(for_principal(aws(user("alice").arn)))}, by_root).allowed());
  const Asked foreign_root = asked_by(root(kOtherAccountId));
  EXPECT_FALSE(decide({}, foreign_root).allowed());
  EXPECT_TRUE(
      decide({resource(for_principal(account_root(kOtherAccountId)))}, foreign_root).allowed());
}

TEST(Evaluation, WhatIsNotUnderstoodNeitherAllowsNorSpares) {
  // Written when the key was known, evaluated by a service that does not know it.
  const auto conditional = [](std::string_view effect) {
    auto document = PolicyDocument::parse(
        document_of(
            R"({"Effect":")" + std::string(effect) +
            R"(","Action":"*","Resource":"*","Condition":{"StringEquals":{"app:strange":"x"}}})"),
        DocumentKind::kIdentityPolicy, "p");
    EXPECT_TRUE(document);
    return std::make_shared<const PolicyDocument>(std::move(*document));
  };
  EXPECT_EQ(decide({nullptr, {conditional("Allow")}}).verdict, Verdict::kImplicitDeny);
  const Decision denied = decide({nullptr, {identity(kAllowAll), conditional("Deny")}});
  EXPECT_EQ(denied.verdict, Verdict::kExplicitDeny);
  EXPECT_TRUE(denied.not_understood);
}

TEST(Evaluation, NotPrincipalInADenySparesOnlyWhoItNames) {
  const std::string allow = for_principal("\"*\"");
  const auto but = [&](std::string_view principal) {
    return resource(allow + "," + for_principal(principal, "Deny", "NotPrincipal"));
  };
  EXPECT_TRUE(decide({but(aws(user("alice").arn))}).allowed());
  EXPECT_FALSE(decide({but(aws(user("bob").arn))}).allowed());
  EXPECT_FALSE(decide({but(account_root(kAccountId))}).allowed());
  const Asked session = asked_by(session_of("reader", "s1"));
  EXPECT_TRUE(decide({but(aws(session.principal.arn))}, session).allowed());
  EXPECT_FALSE(decide({but(aws(session.principal.role_arn))}, session).allowed());
  EXPECT_TRUE(decide({but(account_root(kAccountId))}, asked_by(root())).allowed());
}

TEST(Evaluation, NotPrincipalInAnAllowLeavesOutWhoeverItNames) {
  const auto but = [&](std::string_view principal) {
    return resource(for_principal(principal, "Allow", "NotPrincipal"));
  };
  EXPECT_TRUE(decide({but(aws(user("bob").arn))}).allowed());
  EXPECT_FALSE(decide({but(aws(user("alice").arn))}).allowed());
  EXPECT_FALSE(decide({but(account_root(kAccountId))}).allowed());
}

TEST(Evaluation, SaysWhichStatementDecided) {
  const Documents documents{
      nullptr,
      {identity(R"({"Effect":"Allow","Action":"app:Write","Resource":"*"},)"
                R"({"Sid":"Readers","Effect":"Allow","Action":"app:Read","Resource":"*"})")}};
  EXPECT_EQ(describe(decide(documents)), R"(statement "Readers" (1) of identity-based policy "p")");
}

}  // namespace
}  // namespace keyhold::iam

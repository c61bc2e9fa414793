#include "kms/known_principals.h"

#include <gtest/gtest.h>

#include "iam/identity.h"
#include "kms/key_policy.h"

namespace keyhold::kms {
namespace {

class KnownPrincipalsTest : public ::testing::Test {
 protected:
  KnownPrincipalsTest() {
    std::vector<iam::Identity> identities;
    for (const auto& [kind, path, name] : {std::tuple(iam::IdentityKind::kUser, "/", "ann"),
                                           std::tuple(iam::IdentityKind::kRole, "/team/", "app")}) {
      iam::IdentityDefinition definition;
      definition.kind = kind;
      definition.account = "111122223333";
      definition.path = path;
      definition.name = name;
      if (kind == iam::IdentityKind::kRole) {
        definition.trust =
            R"({"Statement":{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}})";
      }
      identities.push_back(*iam::compile_identity(definition, nullptr));
    }
    directory_.publish(std::move(identities));
  }

  static KeyPolicyPtr policy_for(const std::string& principal) {
    return *compile_policy(
        R"({"Statement":[{"Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"kms:*",)"
        R"("Resource":"*"},{"Effect":"Deny","Principal":{"AWS":["*",")" +
        principal + R"("]},"Action":"kms:*","Resource":"*"}]})");
  }

  iam::IdentityDirectory directory_;
  KnownPrincipals known_{&directory_};
};

constexpr auto kThere = std::to_array<std::string_view>(
    {"arn:aws:iam::111122223333:user/ann", "arn:aws:iam::111122223333:role/team/app",
     "arn:aws:sts::111122223333:assumed-role/app/session", "arn:aws:iam::111122223333:root",
     "arn:aws:iam::444455556666:root"});
constexpr auto kNotThere = std::to_array<std::string_view>(
    {"arn:aws:iam::111122223333:user/bob", "arn:aws:iam::111122223333:role/app",
     "arn:aws:iam::444455556666:user/ann", "arn:aws:iam::111122223333:role/ann",
     "arn:aws:sts::111122223333:assumed-role/none/session"});

TEST_F(KnownPrincipalsTest, MayBeNamedByPoliciesAndGrants) {
  for (const std::string_view arn : kThere) {
    EXPECT_TRUE(known_.check(*policy_for(std::string(arn)))) << arn;
    NewGrant grant;
    grant.grantee = arn;
    EXPECT_TRUE(known_.check(grant)) << arn;
    grant.retiring_principal = arn;
    EXPECT_TRUE(known_.check(grant)) << arn;
  }
}

TEST_F(KnownPrincipalsTest, AreMissedInPoliciesAndGrants) {
  for (const std::string_view arn : kNotThere) {
    const auto policy = known_.check(*policy_for(std::string(arn)));
    ASSERT_FALSE(policy) << arn;
    EXPECT_EQ(policy.error().code(), ErrorCode::kMalformedPolicyDocument);
    EXPECT_EQ(policy.error().message(),
              "Policy contains a statement with one or more invalid principals.");
    NewGrant grant;
    grant.grantee = arn;
    const std::string sentence = "ARN does not refer to a valid principal: " + std::string(arn);
    const auto grantee = known_.check(grant);
    ASSERT_FALSE(grantee) << arn;
    EXPECT_EQ(grantee.error().code(), ErrorCode::kInvalidArn);
    EXPECT_EQ(grantee.error().message(), sentence);
    grant.grantee = kThere[0];
    grant.retiring_principal = arn;
    const auto retiring = known_.check(grant);
    ASSERT_FALSE(retiring) << arn;
    EXPECT_EQ(retiring.error().message(), sentence);
  }
}

TEST_F(KnownPrincipalsTest, AreAllWhereNobodySaysWhoIsThere) {
  const KnownPrincipals anybody(nullptr);
  for (const std::string_view arn : kNotThere) {
    EXPECT_TRUE(anybody.check(*policy_for(std::string(arn))));
    NewGrant grant;
    grant.grantee = arn;
    EXPECT_TRUE(anybody.check(grant));
  }
}

}  // namespace
}  // namespace keyhold::kms

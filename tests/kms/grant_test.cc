#include "kms/grant.h"

#include <gtest/gtest.h>

#include "kms/grant_directory.h"
#include "kms/principal_arn.h"
#include "tests/kms/keys.h"

namespace keyhold::kms {
namespace {

using namespace testing;
using Pairs = std::vector<std::pair<std::string, std::string>>;

store::GrantRecord a_grant(ContextConstraint constraint, Pairs context) {
  store::GrantRecord grant;
  grant.grant_id = draw_name().hex();
  grant.key_id = "key";
  grant.grantee = "arn:aws:iam::111122223333:user/grantee";
  grant.operations = {GrantOperation::kEncrypt};
  grant.context_constraint = constraint;
  grant.context = std::move(context);
  return grant;
}

TEST(GrantConstraint, OfEqualsWantsThePairsAndOfSubsetAtLeastThem) {
  const Pairs wanted{{"a", "1"}, {"b", "2"}};
  const auto covers = [&](ContextConstraint constraint, Pairs given) {
    return covers_context(a_grant(constraint, wanted),
                          *EncryptionContext::from_pairs(std::move(given)));
  };
  EXPECT_TRUE(covers(ContextConstraint::kEquals, {{"b", "2"}, {"a", "1"}}));
  EXPECT_FALSE(covers(ContextConstraint::kEquals, {{"a", "1"}, {"b", "2"}, {"c", "3"}}));
  EXPECT_FALSE(covers(ContextConstraint::kEquals, {{"a", "1"}}));
  EXPECT_TRUE(covers(ContextConstraint::kSubset, {{"0", ""}, {"a", "1"}, {"b", "2"}, {"c", "3"}}));
  EXPECT_FALSE(covers(ContextConstraint::kSubset, {{"a", "1"}, {"b", "3"}}));
  EXPECT_FALSE(covers(ContextConstraint::kSubset, {}));
  EXPECT_TRUE(covers(ContextConstraint::kNone, {}));
}

TEST(PrincipalArn, IsOneOfRootUserRoleSessionOrFederatedUser) {
  for (const std::string_view good :
       {"arn:aws:iam::111122223333:root", "arn:aws:iam::111122223333:user/u",
        "arn:aws:iam::111122223333:user/team/u", "arn:aws-cn:iam::111122223333:role/r",
        "arn:aws:sts::111122223333:assumed-role/r/s",
        "arn:aws:sts::111122223333:federated-user/f"}) {
    EXPECT_TRUE(is_principal_arn(good)) << good;
    EXPECT_EQ(account_of(good), "111122223333") << good;
  }
  for (const std::string_view bad :
       {"", "root", "111122223333", "arn:aws:iam::111122223333:group/g",
        "arn:aws:iam::111122223333:user/", "arn:aws:iam::111122223333:user//u",
        "arn:aws:iam::1111:root", "arn:aws:iam:eu-central-1:111122223333:root",
        "arn:aws:sts::111122223333:assumed-role/r", "arn:aws:sts::111122223333:root",
        "arn:aws:iam::111122223333:assumed-role/r/s", "arn:aws:kms::111122223333:user/u"}) {
    EXPECT_FALSE(is_principal_arn(bad)) << bad;
    EXPECT_EQ(account_of(bad), "") << bad;
  }
  EXPECT_EQ(root_arn("111122223333", "arn:aws-cn:iam::444455556666:user/u"),
            "arn:aws-cn:iam::111122223333:root");
}

GrantPtr on(std::string key, std::string grantee, std::string name = {}) {
  auto grant = std::make_shared<store::GrantRecord>(a_grant(ContextConstraint::kNone, {}));
  grant->key_id = std::move(key);
  grant->grantee = std::move(grantee);
  grant->name = std::move(name);
  return grant;
}

TEST(GrantDirectory, FindsThoseOfAKeyAndAGranteeAmongManyOthers) {
  GrantDirectory directory;
  std::vector<GrantPtr> others;
  for (int i = 0; i < 10'000; ++i) others.push_back(on("key", "grantee-" + std::to_string(i)));
  directory.load(others);
  const GrantPtr mine = on("key", "me");
  const GrantPtr mine_too = on("key", "me");
  directory.put(mine);
  directory.put(mine_too);
  directory.put(on("other", "me"));
  EXPECT_EQ(directory.find("key", "me"), (std::vector<GrantPtr>{mine, mine_too}));
  EXPECT_EQ(directory.count("key"), 10'002U);
  directory.erase(*mine);
  EXPECT_EQ(directory.find("key", "me"), std::vector<GrantPtr>{mine_too});
  EXPECT_EQ(directory.find(mine->grant_id), nullptr);
  EXPECT_EQ(directory.find(mine_too->grant_id), mine_too);
  directory.erase_key("key");
  EXPECT_TRUE(directory.find("key", "me").empty());
  EXPECT_EQ(directory.count("key"), 0U);
  EXPECT_EQ(directory.count("other"), 1U);
}

TEST(GrantDirectory, FindsThoseOfAName) {
  GrantDirectory directory;
  const GrantPtr named = on("key", "me", "n");
  directory.put(named);
  directory.put(on("key", "me", "n2"));
  directory.put(on("key", "me"));
  directory.put(on("other", "me", "n"));
  EXPECT_EQ(directory.named("key", "n"), std::vector<GrantPtr>{named});
  EXPECT_TRUE(directory.named("key", "").empty());
}

}  // namespace
}  // namespace keyhold::kms

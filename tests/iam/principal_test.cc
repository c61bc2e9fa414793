#include "iam/principal.h"

#include <gtest/gtest.h>

namespace keyhold::iam {
namespace {

constexpr std::string_view kAccountId = "111122223333";

TEST(Principal, AUserHasIamsArnAndAnId) {
  const auto user = parse_principal("user/admin", kAccountId);
  ASSERT_TRUE(user);
  EXPECT_EQ(user->account, kAccountId);
  EXPECT_EQ(user->type, PrincipalType::kUser);
  EXPECT_EQ(user->path, "/");
  EXPECT_EQ(user->name, "admin");
  EXPECT_EQ(user->arn, "arn:aws:iam::111122223333:user/admin");
  EXPECT_EQ(user->id.size(), 21u);
  EXPECT_EQ(user->id.substr(0, 4), "AIDA");
  EXPECT_EQ(user->id.find_first_not_of("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"), std::string::npos);
}

TEST(Principal, AUsersPathIsPartOfTheArnAndNotOfTheName) {
  const auto user = parse_principal("user/division/team/Alice", kAccountId);
  ASSERT_TRUE(user);
  EXPECT_EQ(user->path, "/division/team/");
  EXPECT_EQ(user->name, "Alice");
  EXPECT_EQ(user->arn, "arn:aws:iam::111122223333:user/division/team/Alice");
}

TEST(Principal, RootIsTheAccountItself) {
  const auto root = parse_principal("root", kAccountId);
  ASSERT_TRUE(root);
  EXPECT_EQ(root->type, PrincipalType::kRoot);
  EXPECT_EQ(root->arn, "arn:aws:iam::111122223333:root");
  EXPECT_EQ(root->id, kAccountId);
  EXPECT_EQ(root->name, "");
}

TEST(Principal, TheIdIsTheSameEachTimeAndAnotherForAnotherUser) {
  const auto user = parse_principal("user/admin", kAccountId);
  EXPECT_EQ(*user, *parse_principal("user/admin", kAccountId));
  EXPECT_NE(user->id, parse_principal("user/admin2", kAccountId)->id);
  EXPECT_NE(user->id, parse_principal("user/team/admin", kAccountId)->id);
  EXPECT_NE(user->id, parse_principal("user/admin", "111122223334")->id);
}

TEST(Principal, NamesAtIamsBoundsAreTakenAndOnePastThemRefused) {
  const std::string longest_name(64, 'n');
  EXPECT_TRUE(parse_principal("user/" + longest_name, kAccountId));
  EXPECT_FALSE(parse_principal("user/" + longest_name + "n", kAccountId));
  const std::string longest_path = "/" + std::string(510, 'p') + "/";
  EXPECT_TRUE(parse_principal("user" + longest_path + "n", kAccountId));
  EXPECT_FALSE(parse_principal("user/p" + longest_path.substr(1) + "n", kAccountId));
  EXPECT_TRUE(parse_principal("user/a_+=,.@-Z9", kAccountId));
}

TEST(Principal, WhatIamWouldNotAllowIsAValidationError) {
  for (const std::string text :
       {"", "user", "user/", "admin", "group/admin", "role/admin", "user//admin", "user/a//b",
        "user/team/", "user/ad min", "user/adm\xc3\xafn", "user/a:b", "user/te am/admin", "Root",
        "user/admin\n", "USER/admin"}) {
    const auto principal = parse_principal(text, kAccountId);
    ASSERT_FALSE(principal) << text;
    EXPECT_EQ(principal.error().code(), ErrorCode::kValidation) << text;
    EXPECT_FALSE(principal.error().message().empty()) << text;
  }
  for (const std::string account :
       {"", "11112222333", "1111222233334", "11112222333a", "-11122223333"}) {
    EXPECT_FALSE(parse_principal("user/admin", account)) << account;
    EXPECT_FALSE(is_account(account)) << account;
  }
}

}  // namespace
}  // namespace keyhold::iam

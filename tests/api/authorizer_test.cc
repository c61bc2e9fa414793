#include "kms/authorizer.h"

#include <gtest/gtest.h>

#include "fake_service.h"

namespace keyhold::kms {
namespace {

constexpr std::string_view kPrincipal = "arn:aws:iam::111122223333:user/alice";

TEST(Authorizer, AllowsAnAccountsPrincipalsItsKeys) {
  const api::test::FakeService service;
  const KeyPtr key = service.key();
  EXPECT_TRUE(Authorizer().authorize({.principal_arn = kPrincipal,
                                      .account = "111122223333",
                                      .action = "kms:Encrypt",
                                      .key = key.get()}));
  EXPECT_TRUE(Authorizer().authorize(
      {.principal_arn = kPrincipal, .account = "111122223333", .action = "kms:ListKeys"}));
}

TEST(Authorizer, DeniesTheKeysOfOtherAccountsWithoutSayingWhetherTheyExist) {
  const api::test::FakeService service;
  const KeyPtr key = service.key();
  const auto verdict = Authorizer().authorize({.principal_arn = kPrincipal,
                                               .account = "444455556666",
                                               .action = "kms:Encrypt",
                                               .key = key.get()});
  ASSERT_FALSE(verdict);
  EXPECT_EQ(verdict.error().code(), ErrorCode::kAccessDenied);
  EXPECT_EQ(verdict.error().message(),
            "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: kms:Encrypt "
            "on this resource because the resource does not exist in this Region, no "
            "resource-based policies allow access, or a resource-based policy explicitly denies "
            "access");
}

TEST(Authorizer, TakesNoGrantToken) {
  const std::vector<std::string> tokens{"t"};
  const auto verdict = Authorizer().authorize({.principal_arn = kPrincipal,
                                               .account = "111122223333",
                                               .action = "kms:Encrypt",
                                               .grant_tokens = tokens});
  ASSERT_FALSE(verdict);
  EXPECT_EQ(verdict.error().code(), ErrorCode::kInvalidGrantToken);
}

}  // namespace
}  // namespace keyhold::kms

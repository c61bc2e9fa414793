#include "kms/authorizer.h"

#include <gtest/gtest.h>

#include "tests/kms/keys.h"

namespace keyhold::kms {
namespace {

using namespace testing;

constexpr std::string_view kPrincipal = "arn:aws:iam::111122223333:user/admin";

AccessRequest request_for(const Key* key) {
  AccessRequest request;
  request.principal_arn = kPrincipal;
  request.account = kAccount;
  request.action = "kms:DescribeKey";
  request.key = key;
  return request;
}

TEST(Authorizer, AllowsAPrincipalEverythingOnTheKeysOfItsAccount) {
  const Key key = a_key(a_key_record());
  EXPECT_TRUE(Authorizer().authorize(request_for(&key)));
  EXPECT_TRUE(Authorizer().authorize(request_for(nullptr)));
}

TEST(Authorizer, RefusesTheKeysOfAnotherAccountNamingPrincipalAndAction) {
  auto record = a_key_record();
  record.account = "999999999999";
  const Key key = a_key(record);
  const auto refused = Authorizer().authorize(request_for(&key));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kAccessDenied);
  EXPECT_EQ(refused.error().message(),
            "User: arn:aws:iam::111122223333:user/admin is not authorized to perform: "
            "kms:DescribeKey on this resource because the resource does not exist in this Region, "
            "no resource-based policies allow access, or a resource-based policy explicitly denies "
            "access");
}

TEST(Authorizer, RefusesGrantTokensSinceNothingIssuesAny) {
  const Key key = a_key(a_key_record());
  const std::vector<std::string> tokens{"AQpAM2RhZ"};
  auto request = request_for(&key);
  request.grant_tokens = tokens;
  const auto refused = Authorizer().authorize(request);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidGrantToken);
}

}  // namespace
}  // namespace keyhold::kms

#include <gtest/gtest.h>

#include "service_fixture.h"

namespace keyhold::api {
namespace {

using namespace test;

class KeyPolicies : public ServiceTest {
 protected:
  static std::string put_body(const std::string& key, const std::string& policy,
                              const std::string& more = {}) {
    return with_key(key, R"("Policy":)" + json_string(policy) + (more.empty() ? "" : "," + more));
  }
  static std::string statement(const std::string& principal, const std::string& action,
                               const std::string& more = {}) {
    return R"({"Effect":"Allow","Principal":)" + principal + R"(,"Action":)" + action +
           R"(,"Resource":"*")" + (more.empty() ? "" : "," + more) + "}";
  }
  static std::string document(const std::string& statements) {
    return R"({"Version":"2012-10-17","Statement":[)" + statements + "]}";
  }
  static std::string policy_of(const std::string& key) {
    return succeed("GetKeyPolicy", with_key(key)).text("Policy");
  }
  static Reply as(std::string_view name, std::string_view policy, std::string_view operation,
                  std::string body, std::string_view account = kAccount) {
    return Client(service(), make_actor(account, name, policy)).call(operation, std::move(body));
  }
  static std::string denied(std::string_view name, std::string_view action, const std::string& key,
                            const std::string& why) {
    return "User: arn:aws:iam::111122223333:" + std::string(name) +
           " is not authorized to perform: " + std::string(action) + " on resource: " + arn(key) +
           " " + why;
  }
  static inline const std::string kAccountStatement =
      R"({"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::111122223333:root"},)"
      R"("Action":"kms:*","Resource":"*"})";
  static constexpr std::string_view kLockout =
      "The new key policy will not allow you to update the key policy in the future.";
};

TEST_F(KeyPolicies, ANewKeyHasTheDefaultOneOfItsAccount) {
  const Reply reply = succeed("GetKeyPolicy", with_key(new_key()));
  EXPECT_EQ(reply.text("PolicyName"), "default");
  EXPECT_EQ(reply.text("Policy"), R"({
  "Version" : "2012-10-17",
  "Id" : "key-default-1",
  "Statement" : [ {
    "Sid" : "Enable IAM User Permissions",
    "Effect" : "Allow",
    "Principal" : {
      "AWS" : "arn:aws:iam::111122223333:root"
    },
    "Action" : "kms:*",
    "Resource" : "*"
  } ]
})");
}

TEST_F(KeyPolicies, AreKeptToTheLetter) {
  const std::string key = new_key();
  const std::string text =
      "\n{ \"Statement\":\t[" + kAccountStatement + "] , \"Version\":\"2012-10-17\"}\n";
  const Reply put = succeed("PutKeyPolicy", put_body(key, text, R"("PolicyName":"default")"));
  EXPECT_EQ(put.body, "");
  EXPECT_EQ(put.record.response_elements, R"({"keyId":")" + arn(key) + "\"}");
  EXPECT_EQ(policy_of(key), text);
  const Reply made = succeed("CreateKey", R"({"Policy":)" + json_string(text) + "}");
  EXPECT_EQ(policy_of(made.text("KeyMetadata.KeyId")), text);
}

TEST_F(KeyPolicies, HaveOneName) {
  const std::string key = new_key();
  EXPECT_EQ(succeed("ListKeyPolicies", with_key(key)).body,
            R"({"PolicyNames":["default"],"Truncated":false})");
  expect_error(call("GetKeyPolicy", with_key(key, R"("PolicyName":"other")")), "NotFoundException",
               "No such policy exists");
  expect_error(
      call("PutKeyPolicy", put_body(key, document(kAccountStatement), R"("PolicyName":"other")")),
      "NotFoundException", "No such policy exists");
  expect_invalid(call("GetKeyPolicy", with_key(key, R"("PolicyName":"a b")")),
                 "Value 'a b' at 'policyName' failed to satisfy constraint: Member must satisfy "
                 "regular expression pattern: [\\w]+");
}

TEST_F(KeyPolicies, ThatAreNoneAreRefusedAndChangeNothing) {
  const std::string key = new_key();
  const std::string before = policy_of(key);
  for (const std::string& text :
       {std::string("not json"), std::string("{}"), document(""),
        document(R"({"Effect":"Allow","Action":"kms:*","Resource":"*"})"),
        document(statement(R"({"AWS":"*"})", R"("kms:*")", R"("Condition":{"NoSuch":{"a":"b"}})")),
        document(statement(R"({"AWS":"*"})", R"("kms:*")",
                           R"("Condition":{"StringEquals":{"kms:NoSuchKey":"b"}})"))}) {
    SCOPED_TRACE(text);
    const Reply reply = call("PutKeyPolicy", put_body(key, text));
    EXPECT_EQ(reply.error_code(), "MalformedPolicyDocumentException") << reply.body;
    EXPECT_EQ(policy_of(key), before);
    EXPECT_EQ(call("CreateKey", R"({"Policy":)" + json_string(text) + "}").error_code(),
              "MalformedPolicyDocumentException");
  }
  const std::string padding(32768, ' ');
  EXPECT_EQ(call("PutKeyPolicy", put_body(key, document(kAccountStatement) + padding)).error_code(),
            "LimitExceededException");
  EXPECT_EQ(policy_of(key), before);
}

TEST_F(KeyPolicies, ThatLockTheCallerOutNeedToSaySo) {
  const std::string key = new_key();
  const std::string other =
      document(statement(R"({"AWS":"arn:aws:iam::111122223333:user/other"})", R"("kms:*")"));
  expect_error(call("PutKeyPolicy", put_body(key, other)), "MalformedPolicyDocumentException",
               kLockout);
  expect_error(call("CreateKey", R"({"Policy":)" + json_string(other) + "}"),
               "MalformedPolicyDocumentException", kLockout);
  const std::string bypass = R"("BypassPolicyLockoutSafetyCheck":true)";
  succeed("PutKeyPolicy", put_body(key, other, bypass));
  EXPECT_EQ(succeed("CreateKey", R"({"Policy":)" + json_string(other) + "," + bypass + "}").status,
            200);
  // And so it is: only the one that it names gets back in.
  expect_error(call("GetKeyPolicy", with_key(key)), "AccessDeniedException",
               denied("user/test", "kms:GetKeyPolicy", key,
                      "because no resource-based policy allows the kms:GetKeyPolicy action"));
  EXPECT_EQ(as("user/other", "", "GetKeyPolicy", with_key(key)).text("Policy"), other);
}

TEST_F(KeyPolicies, DecideAloneWhereTheyDoNotLeaveItToTheAccount) {
  const std::string key = new_key();
  succeed("PutKeyPolicy",
          put_body(key, document(statement(R"({"AWS":"arn:aws:iam::111122223333:user/test"})",
                                           R"("kms:*")") +
                                 "," +
                                 statement(R"({"AWS":"arn:aws:iam::111122223333:user/alice"})",
                                           R"("kms:DescribeKey")"))));
  EXPECT_EQ(as("user/alice", "", "DescribeKey", with_key(key)).status, 200);
  expect_error(as("user/bob", kAllowAll, "DescribeKey", with_key(key)), "AccessDeniedException",
               denied("user/bob", "kms:DescribeKey", key,
                      "because no resource-based policy allows the kms:DescribeKey action"));
  // Not even root, which the policy leaves out.
  expect_error(as("root", "", "DescribeKey", with_key(key)), "AccessDeniedException",
               denied("root", "kms:DescribeKey", key,
                      "because no resource-based policy allows the kms:DescribeKey action"));
}

TEST_F(KeyPolicies, ADenyOutweighsEveryAllow) {
  const std::string key = new_key();
  succeed("PutKeyPolicy",
          put_body(key, document(kAccountStatement +
                                 R"(,{"Effect":"Deny","Principal":"*","Action":"kms:Encrypt",)"
                                 R"("Resource":"*"})")));
  expect_error(
      call("Encrypt", with_key(key, R"("Plaintext":"AAAA")")), "AccessDeniedException",
      denied("user/test", "kms:Encrypt", key, "with an explicit deny in a resource-based policy"));
  // Nor does a grant help.
  new_grant(key, "arn:aws:iam::111122223333:user/grantee", R"("Encrypt")");
  EXPECT_EQ(as("user/grantee", "", "Encrypt", with_key(key, R"("Plaintext":"AAAA")")).error_code(),
            "AccessDeniedException");
  const std::string other = new_key();
  expect_error(
      as("user/alice",
         R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"},)"
         R"({"Effect":"Deny","Action":"kms:DescribeKey","Resource":"*"}]})",
         "DescribeKey", with_key(other)),
      "AccessDeniedException",
      denied("user/alice", "kms:DescribeKey", other,
             "with an explicit deny in an identity-based policy"));
}

TEST_F(KeyPolicies, AskForTheEncryptionContext) {
  const std::string key = new_key();
  succeed("PutKeyPolicy",
          put_body(key, document(kAccountStatement + "," +
                                 statement(R"({"AWS":"arn:aws:iam::111122223333:user/alice"})",
                                           R"(["kms:Encrypt","kms:GenerateDataKey"])",
                                           R"("Condition":{"StringEquals":)"
                                           R"({"kms:EncryptionContext:Dept":"Finance"}})"))));
  const auto encrypt = [&](const std::string& context) {
    return as("user/alice", "", "Encrypt",
              with_key(key, R"("Plaintext":"AAAA","EncryptionContext":)" + context));
  };
  EXPECT_EQ(encrypt(R"({"Dept":"Finance","more":"x"})").status, 200);
  EXPECT_EQ(encrypt(R"({"dept":"Finance"})").status, 200);  // names compare without case
  EXPECT_EQ(encrypt(R"({"Dept":"finance"})").error_code(), "AccessDeniedException");
  EXPECT_EQ(encrypt("{}").error_code(), "AccessDeniedException");
}

TEST_F(KeyPolicies, TagsDecideInIdentityPoliciesUntilTheyAreTakenAway) {
  const std::string key = new_key();
  succeed("TagResource", with_key(key, R"("Tags":[{"TagKey":"Team","TagValue":"red"}])"));
  constexpr std::string_view kByTag =
      R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:DescribeKey",)"
      R"("Resource":"*","Condition":{"StringEquals":)"
      R"({"aws:ResourceTag/Team":"${aws:PrincipalTag/Team}"}}}]})";
  const auto describe = [&](const std::string& team) {
    return Client(service(), make_actor(kAccount, "user/alice", kByTag, {{"Team", team}}))
        .call("DescribeKey", with_key(key));
  };
  EXPECT_EQ(describe("red").status, 200);
  EXPECT_EQ(describe("blue").error_code(), "AccessDeniedException");
  succeed("UntagResource", with_key(key, R"("TagKeys":["Team"])"));
  EXPECT_EQ(describe("red").error_code(), "AccessDeniedException");
}

TEST_F(KeyPolicies, WhatAKeyPolicyCannotSeeDenies) {
  const std::string key = new_key();
  succeed("PutKeyPolicy",
          put_body(key, document(kAccountStatement +
                                 R"(,{"Effect":"Deny","Principal":"*","Action":"kms:DescribeKey",)"
                                 R"("Resource":"*","Condition":{"StringEquals":)"
                                 R"({"aws:ResourceTag/Team":"never"}}})")));
  EXPECT_EQ(call("DescribeKey", with_key(key)).error_code(), "AccessDeniedException");
}

TEST_F(KeyPolicies, AnotherAccountNeedsBothSides) {
  const std::string key = new_key();
  const auto describe = [&](std::string_view policy, const std::string& id) {
    return as("user/carol", policy, "DescribeKey", R"({"KeyId":")" + id + "\"}", "444455556666");
  };
  const std::string text =
      "User: arn:aws:iam::444455556666:user/carol is not authorized to perform: kms:DescribeKey on "
      "this resource because the resource does not exist in this Region, no resource-based "
      "policies "
      "allow access, or a resource-based policy explicitly denies access";
  expect_error(describe(kAllowAll, arn(key)), "AccessDeniedException", text);
  // As one that is not there.
  expect_error(describe(kAllowAll, arn("00000000-0000-4000-8000-000000000000")),
               "AccessDeniedException", text);
  succeed("PutKeyPolicy",
          put_body(key, document(kAccountStatement + "," +
                                 statement(R"({"AWS":"444455556666"})", R"("kms:DescribeKey")"))));
  expect_error(describe("", arn(key)), "AccessDeniedException", text);
  EXPECT_EQ(describe(kAllowAll, arn(key)).text("KeyMetadata.AWSAccountId"), "111122223333");
  // An id alone is looked for in one's own account.
  EXPECT_EQ(describe(kAllowAll, key).error_code(), "NotFoundException");
}

TEST_F(KeyPolicies, TheirNextCallSeesAChange) {
  const std::string key = new_key();
  const auto describe = [&] { return as("user/dave", "", "DescribeKey", with_key(key)); };
  EXPECT_EQ(describe().error_code(), "AccessDeniedException");
  const std::string with_dave =
      document(kAccountStatement + "," +
               statement(R"({"AWS":"arn:aws:iam::111122223333:user/dave"})", R"("kms:*")"));
  succeed("PutKeyPolicy", put_body(key, with_dave));
  EXPECT_EQ(describe().status, 200);
  succeed("PutKeyPolicy", put_body(key, document(kAccountStatement)));
  EXPECT_EQ(describe().error_code(), "AccessDeniedException");
}

TEST_F(KeyPolicies, TaggingANewKeyNeedsThePermissionToTag) {
  const std::string tags = R"({"Tags":[{"TagKey":"a","TagValue":"b"}]})";
  constexpr std::string_view kCreate =
      R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:CreateKey",)"
      R"("Resource":"*"}]})";
  expect_error(as("user/maker", kCreate, "CreateKey", tags), "AccessDeniedException",
               "User: arn:aws:iam::111122223333:user/maker is not authorized to perform: "
               "kms:TagResource on resource: * because no identity-based policy allows the "
               "kms:TagResource action");
  EXPECT_EQ(as("user/maker", kCreate, "CreateKey", "{}").status, 200);
}

}  // namespace
}  // namespace keyhold::api

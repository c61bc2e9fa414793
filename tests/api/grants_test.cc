#include <gtest/gtest.h>

#include "service_fixture.h"

namespace keyhold::api {
namespace {

using namespace test;

class Grants : public ServiceTest {
 protected:
  static constexpr std::string_view kGrantee = "arn:aws:iam::111122223333:user/grantee";
  static constexpr std::string_view kRetirer = "arn:aws:iam::111122223333:user/retirer";
  static constexpr std::string_view kDryRun =
      "The request would have succeeded, but the DryRun option is set.";

  static std::string create_body(const std::string& key, const std::string& operations,
                                 const std::string& more = {},
                                 std::string_view grantee = kGrantee) {
    return with_key(key, R"("GranteePrincipal":")" + std::string(grantee) + R"(","Operations":[)" +
                             operations + "]" + (more.empty() ? "" : "," + more));
  }
  static Reply as(std::string_view name, std::string_view operation, std::string body,
                  std::string_view policy = "", std::string_view account = kAccount) {
    return Client(service(), make_actor(account, name, policy)).call(operation, std::move(body));
  }
  static Reply encrypt(std::string_view name, const std::string& key,
                       const std::string& more = {}) {
    return as(name, "Encrypt",
              with_key(key, R"("Plaintext":"AAAA")" + (more.empty() ? "" : "," + more)));
  }
  static std::string grants_of(const std::string& key) {
    return succeed("ListGrants", with_key(key)).body;
  }
  static std::string with_grant(const std::string& key, const std::string& grant,
                                const std::string& more = {}) {
    return with_key(key, R"("GrantId":")" + grant + "\"" + (more.empty() ? "" : "," + more));
  }
  static bool is_denied(const Reply& reply) {
    return reply.error_code() == "AccessDeniedException";
  }
};

TEST_F(Grants, AreListedAsTheyWereMade) {
  const std::string key = new_key();
  const Reply made =
      succeed("CreateGrant",
              create_body(key, R"("Encrypt","RetireGrant")",
                          R"("Name":"n","RetiringPrincipal":")" + std::string(kRetirer) +
                              R"(","Constraints":{"EncryptionContextSubset":{"b":"2","a":"1"}})"));
  EXPECT_EQ(made.text("GrantId").size(), 64U);
  const auto seconds =
      std::chrono::floor<std::chrono::seconds>(clock().now()).time_since_epoch().count();
  const std::string first =
      R"({"Constraints":{"EncryptionContextSubset":{"a":"1","b":"2"}},"CreationDate":)" +
      std::to_string(seconds) + R"(.000,"GrantId":")" + made.text("GrantId") +
      R"(","GranteePrincipal":")" + std::string(kGrantee) +
      R"(","IssuingAccount":"arn:aws:iam::111122223333:root","KeyId":")" + arn(key) +
      R"(","Name":"n","Operations":["Encrypt","RetireGrant"],"RetiringPrincipal":")" +
      std::string(kRetirer) + "\"}";
  EXPECT_EQ(grants_of(key), R"({"Grants":[)" + first + R"(],"Truncated":false})");
  // The audit trail shows the grant and not its token.
  EXPECT_EQ(made.record.response_elements,
            R"({"grantId":")" + made.text("GrantId") + R"(","keyId":")" + arn(key) + "\"}");
  EXPECT_NE(made.record.request_parameters.find(
                R"("constraints":{"encryptionContextSubset":{"a":"1","b":"2"}})"),
            std::string::npos)
      << made.record.request_parameters;
}

TEST_F(Grants, LetTheirGranteeInAndNobodyElse) {
  const std::string key = new_key();
  EXPECT_TRUE(is_denied(encrypt("user/grantee", key)));
  const std::string grant = new_grant(key, kGrantee, R"("Encrypt")");
  const Reply reply = encrypt("user/grantee", key);
  EXPECT_EQ(reply.status, 200);
  EXPECT_NE(reply.record.additional_event_data.find("allowed by grant " + grant),
            std::string::npos);
  EXPECT_TRUE(is_denied(encrypt("user/other", key)));
  EXPECT_TRUE(is_denied(encrypt("user/grantee", new_key())));
  // The same name in another account is somebody else.
  EXPECT_TRUE(is_denied(as("user/grantee", "Encrypt",
                           R"({"KeyId":")" + arn(key) + R"(","Plaintext":"AAAA"})", kAllowAll,
                           "444455556666")));
}

TEST_F(Grants, ToARoleAreItsSessionsAndToASessionItsOwn) {
  const std::string key = new_key();
  new_grant(key, "arn:aws:iam::111122223333:role/worker", R"("Encrypt")");
  EXPECT_EQ(encrypt("assumed-role/worker/one", key).status, 200);
  EXPECT_EQ(encrypt("assumed-role/worker/two", key).status, 200);
  EXPECT_TRUE(is_denied(encrypt("assumed-role/idler/one", key)));
  const std::string other = new_key();
  new_grant(other, "arn:aws:sts::111122223333:assumed-role/worker/one", R"("Encrypt")");
  EXPECT_EQ(encrypt("assumed-role/worker/one", other).status, 200);
  EXPECT_TRUE(is_denied(encrypt("assumed-role/worker/two", other)));
}

TEST_F(Grants, ToAnAccountAreItsOwnToPassOn) {
  const std::string key = new_key();
  new_grant(key, "arn:aws:iam::444455556666:root", R"("Encrypt")");
  const std::string body = R"({"KeyId":")" + arn(key) + R"(","Plaintext":"AAAA"})";
  EXPECT_EQ(as("root", "Encrypt", body, "", "444455556666").status, 200);
  EXPECT_EQ(as("user/carol", "Encrypt", body, kAllowAll, "444455556666").status, 200);
  EXPECT_TRUE(is_denied(as("user/carol", "Encrypt", body, "", "444455556666")));
}

TEST_F(Grants, HoldTheContextToTheirConstraint) {
  const std::string equals = new_key();
  new_grant(equals, kGrantee, R"("Encrypt","DescribeKey")",
            R"("Constraints":{"EncryptionContextEquals":{"a":"1","b":"2"}})");
  const auto with = [&](const std::string& key, const std::string& context) {
    return !is_denied(encrypt("user/grantee", key, R"("EncryptionContext":)" + context));
  };
  EXPECT_TRUE(with(equals, R"({"b":"2","a":"1"})"));
  EXPECT_FALSE(with(equals, R"({"a":"1","b":"2","c":"3"})"));
  EXPECT_FALSE(with(equals, R"({"a":"1"})"));
  EXPECT_FALSE(with(equals, R"({"A":"1","b":"2"})"));
  EXPECT_FALSE(with(equals, "{}"));
  EXPECT_EQ(as("user/grantee", "DescribeKey", with_key(equals)).status, 200);

  const std::string subset = new_key();
  new_grant(subset, kGrantee, R"("Encrypt")",
            R"("Constraints":{"EncryptionContextSubset":{"a":"1"}})");
  EXPECT_TRUE(with(subset, R"({"a":"1"})"));
  EXPECT_TRUE(with(subset, R"({"a":"1","c":"3"})"));
  EXPECT_FALSE(with(subset, R"({"a":"2"})"));
  EXPECT_FALSE(with(subset, R"({"c":"1"})"));
}

TEST_F(Grants, OnBehalfOfAnAwsResourceAllowNothingHere) {
  const std::string key = new_key();
  new_grant(key, kGrantee, R"("Encrypt")",
            R"("Constraints":{"SourceArn":"arn:aws:s3:eu-central-1:111122223333:bucket"})");
  EXPECT_TRUE(is_denied(encrypt("user/grantee", key)));
}

TEST_F(Grants, OfOneNameAndTheSameParametersAreOne) {
  const std::string key = new_key();
  const auto create = [&](const std::string& operations, const std::string& more) {
    return succeed("CreateGrant", create_body(key, operations, more));
  };
  const Reply first = create(R"("Encrypt","Decrypt")", R"("Name":"n")");
  const Reply again = create(R"("Decrypt","Encrypt","Encrypt")", R"("Name":"n")");
  EXPECT_EQ(again.text("GrantId"), first.text("GrantId"));
  EXPECT_NE(again.text("GrantToken"), first.text("GrantToken"));
  EXPECT_NE(create(R"("Encrypt")", R"("Name":"n")").text("GrantId"), first.text("GrantId"));
  EXPECT_NE(create(R"("Encrypt","Decrypt")", R"("Name":"m")").text("GrantId"),
            first.text("GrantId"));
  EXPECT_NE(create(R"("Encrypt","Decrypt")",
                   R"("Name":"n","Constraints":{"EncryptionContextEquals":{"a":"1"}})")
                .text("GrantId"),
            first.text("GrantId"));
  const Reply nameless = create(R"("Encrypt")", "");
  EXPECT_NE(create(R"("Encrypt")", "").text("GrantId"), nameless.text("GrantId"));
}

TEST_F(Grants, ThatCannotBeAreRefusedAndNotMade) {
  const std::string key = new_key();
  const auto refuse = [&](const std::string& body, std::string_view type, std::string_view text) {
    expect_error(call("CreateGrant", body), type, text);
    EXPECT_EQ(grants_of(key), R"({"Grants":[],"Truncated":false})");
  };
  refuse(create_body(key, R"("CreateGrant")"), "ValidationException",
         "Grants must not contain only the CreateGrant operation.");
  refuse(create_body(key, ""), "ValidationException",
         "Grants must not contain only the CreateGrant operation.");
  for (const std::string principal :
       {"111122223333", "arn:aws:iam::111122223333:group/g", "arn:aws:iam::11112222333:user/u",
        "arn:aws:sts::111122223333:assumed-role/r", "arn:aws:iam::111122223333:user/",
        "arn:aws:s3::111122223333:user/u", "somebody"}) {
    refuse(create_body(key, R"("Encrypt")", "", principal), "InvalidArnException",
           "ARN does not refer to a valid principal: " + principal);
    refuse(create_body(key, R"("Encrypt")", R"("RetiringPrincipal":")" + principal + "\""),
           "InvalidArnException", "ARN does not refer to a valid principal: " + principal);
  }
  const Reply sign = call("CreateGrant", create_body(key, R"("Encrypt","Sign")"));
  EXPECT_EQ(sign.error_code(), "ValidationException");
  const auto pairs = [](int count) {
    std::string map;
    for (int i = 0; i < count; ++i) {
      map += (i == 0 ? "\"" : ",\"") + std::to_string(i) + R"(":"v")";
    }
    return R"("Constraints":{"EncryptionContextEquals":{)" + map + "}}";
  };
  EXPECT_EQ(call("CreateGrant", create_body(key, R"("Encrypt")", pairs(9))).error_code(),
            "ValidationException");
  EXPECT_EQ(call("CreateGrant", create_body(key, R"("Encrypt")",
                                            R"("Constraints":{"EncryptionContextSubset":{"k":")" +
                                                std::string(385, 'v') + "\"}}"))
                .error_code(),
            "ValidationException");
  EXPECT_EQ(call("CreateGrant", create_body(key, R"("Encrypt")",
                                            R"("Constraints":{"EncryptionContextSubset":{"k":"v"},)"
                                            R"("EncryptionContextEquals":{"k":"v"}})"))
                .error_code(),
            "ValidationException");
  EXPECT_EQ(grants_of(key), R"({"Grants":[],"Truncated":false})");
  expect_error(call("CreateGrant", create_body(key, R"("Encrypt")", R"("DryRun":true)")),
               "DryRunOperationException", kDryRun);
  EXPECT_EQ(grants_of(key), R"({"Grants":[],"Truncated":false})");
  succeed("CreateGrant", create_body(key, R"("Encrypt")", pairs(8)));
}

TEST_F(Grants, MadeByAGrantOnlyNarrowIt) {
  const std::string key = new_key();
  new_grant(key, kGrantee, R"("CreateGrant","Encrypt","Decrypt")",
            R"("Constraints":{"EncryptionContextSubset":{"a":"1"}})");
  const auto child = [&](const std::string& operations, const std::string& constraint) {
    return !is_denied(
        as("user/grantee", "CreateGrant",
           create_body(key, operations, constraint.empty() ? "" : R"("Constraints":)" + constraint,
                       "arn:aws:iam::111122223333:user/child")));
  };
  EXPECT_TRUE(child(R"("Encrypt")", R"({"EncryptionContextSubset":{"a":"1"}})"));
  EXPECT_TRUE(child(R"("Encrypt","Decrypt")", R"({"EncryptionContextSubset":{"a":"1","b":"2"}})"));
  EXPECT_TRUE(child(R"("Encrypt")", R"({"EncryptionContextEquals":{"a":"1","b":"2"}})"));
  EXPECT_FALSE(child(R"("Encrypt")", ""));
  EXPECT_FALSE(child(R"("Encrypt")", R"({"EncryptionContextSubset":{"b":"2"}})"));
  EXPECT_FALSE(child(R"("Encrypt")", R"({"EncryptionContextSubset":{"a":"2"}})"));
  EXPECT_FALSE(child(R"("Encrypt","GenerateDataKey")", R"({"EncryptionContextSubset":{"a":"1"}})"));
  const std::string strict = new_key();
  new_grant(strict, kGrantee, R"("CreateGrant","Encrypt")",
            R"("Constraints":{"EncryptionContextEquals":{"a":"1"}})");
  const auto under = [&](const std::string& constraint) {
    return !is_denied(as("user/grantee", "CreateGrant",
                         create_body(strict, R"("Encrypt")", R"("Constraints":)" + constraint)));
  };
  EXPECT_TRUE(under(R"({"EncryptionContextEquals":{"a":"1"}})"));
  EXPECT_FALSE(under(R"({"EncryptionContextSubset":{"a":"1"}})"));
  EXPECT_FALSE(under(R"({"EncryptionContextEquals":{"a":"1","b":"2"}})"));
}

TEST_F(Grants, TokensAreTakenWhereverTheyBelongAndGiveNothing) {
  const std::string key = new_key();
  const Reply made = succeed("CreateGrant", create_body(key, R"("Encrypt")"));
  const std::string tokens = R"("GrantTokens":[")" + made.text("GrantToken") + "\"]";
  EXPECT_EQ(encrypt("user/grantee", key, tokens).status, 200);
  // Somebody else's token is no permission, nor is one of another key.
  EXPECT_TRUE(is_denied(encrypt("user/other", key, tokens)));
  EXPECT_TRUE(is_denied(encrypt("user/grantee", new_key(), tokens)));
  EXPECT_TRUE(is_denied(
      as("user/grantee", "GenerateDataKey", with_key(key, R"("KeySpec":"AES_256",)" + tokens))));
  succeed("RevokeGrant", with_grant(key, made.text("GrantId")));
  EXPECT_TRUE(is_denied(encrypt("user/grantee", key, tokens)));
}

TEST_F(Grants, TokensThatWereNotIssuedHereAreRefused) {
  const std::string key = new_key();
  const std::string token =
      succeed("CreateGrant", create_body(key, R"("Encrypt")")).text("GrantToken");
  for (std::size_t i = 0; i < token.size(); i += 7) {
    std::string tampered = token;
    tampered[i] = tampered[i] == 'A' ? 'B' : 'A';
    expect_error(encrypt("user/test", key, R"("GrantTokens":[")" + tampered + "\"]"),
                 "InvalidGrantTokenException", "The specified grant token is not valid.");
    expect_error(call("RetireGrant", R"({"GrantToken":")" + tampered + "\"}"),
                 "InvalidGrantTokenException", "The specified grant token is not valid.");
  }
  expect_error(encrypt("user/test", key, R"("GrantTokens":[")" + token + "x\"]"),
               "InvalidGrantTokenException", "The specified grant token is not valid.");
}

TEST_F(Grants, TokensExpireAndTheirGrantDoesNot) {
  const std::string key = new_key();
  const Reply made = succeed("CreateGrant", create_body(key, R"("Encrypt")"));
  clock().advance(kms::GrantTokens::kLifetime);
  EXPECT_EQ(
      encrypt("user/grantee", key, R"("GrantTokens":[")" + made.text("GrantToken") + "\"]").status,
      200);
  expect_error(call("RetireGrant", R"({"GrantToken":")" + made.text("GrantToken") + "\"}"),
               "InvalidGrantTokenException", "The specified grant token is not valid.");
}

TEST_F(Grants, AreRetiredByThoseTheySayAndByTheirAccount) {
  const std::string key = new_key();
  const auto make = [&](const std::string& operations) {
    return new_grant(key, kGrantee, operations,
                     R"("RetiringPrincipal":")" + std::string(kRetirer) + "\"");
  };
  const auto retire = [&](std::string_view name, const std::string& grant,
                          std::string_view policy = "") {
    return as(name, "RetireGrant", with_grant(key, grant), policy);
  };
  const std::string plain = make(R"("Encrypt")");
  EXPECT_TRUE(is_denied(retire("user/grantee", plain)));
  EXPECT_TRUE(is_denied(retire("user/other", plain)));
  constexpr std::string_view kDeny =
      R"({"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"kms:RetireGrant",)"
      R"("Resource":"*"}]})";
  EXPECT_TRUE(is_denied(retire("user/retirer", plain, kDeny)));
  const Reply retired = retire("user/retirer", plain);
  EXPECT_EQ(retired.status, 200);
  EXPECT_EQ(retired.body, "");
  EXPECT_NE(retired.record.additional_event_data.find(R"("grantId":")" + plain + "\""),
            std::string::npos);
  EXPECT_EQ(retire("user/grantee", make(R"("Encrypt","RetireGrant")")).status, 200);
  EXPECT_EQ(retire("user/admin", make(R"("Encrypt")"), kAllowAll).status, 200);
  // A policy of another account is not enough, whatever the key's policy lets it do.
  const std::string kept = make(R"("Encrypt")");
  EXPECT_TRUE(is_denied(as("user/x", "RetireGrant",
                           R"({"KeyId":")" + arn(key) + R"(","GrantId":")" + kept + "\"}",
                           kAllowAll, "444455556666")));
  expect_error(as("user/retirer", "RetireGrant", with_grant(key, kept, R"("DryRun":true)")),
               "DryRunOperationException", kDryRun);
  EXPECT_NE(grants_of(key).find(kept), std::string::npos);
  EXPECT_EQ(retire("user/retirer", kept).status, 200);
  EXPECT_EQ(retire("user/retirer", kept).error_code(), "NotFoundException");
  EXPECT_EQ(grants_of(key), R"({"Grants":[],"Truncated":false})");
}

TEST_F(Grants, AreRetiredByTheirToken) {
  const std::string key = new_key();
  const Reply made = succeed("CreateGrant", create_body(key, R"("Encrypt","RetireGrant")"));
  const std::string body = R"({"GrantToken":")" + made.text("GrantToken") + "\"}";
  EXPECT_TRUE(is_denied(as("user/other", "RetireGrant", body)));
  const Reply retired = as("user/grantee", "RetireGrant", body);
  EXPECT_EQ(retired.status, 200);
  EXPECT_EQ(retired.record.request_parameters.find("rantToken"), std::string::npos);
  EXPECT_EQ(retired.record.response_elements, R"({"keyId":")" + arn(key) + "\"}");
  EXPECT_TRUE(is_denied(encrypt("user/grantee", key)));
}

TEST_F(Grants, ThatAreNotMeantClearlyAreNotRetired) {
  const std::string key = new_key();
  const std::string grant = new_grant(key, kGrantee, R"("Encrypt")");
  for (const std::string& body :
       {std::string("{}"), with_key(key), R"({"GrantId":")" + grant + "\"}",
        with_grant(key, grant, R"("GrantToken":"t")")}) {
    EXPECT_EQ(call("RetireGrant", body).error_code(), "ValidationException") << body;
  }
  for (const char* operation : {"RetireGrant", "RevokeGrant"}) {
    EXPECT_EQ(call(operation, with_grant(key, "abc")).error_code(), "InvalidGrantIdException");
    EXPECT_EQ(call(operation, with_grant(key, std::string(64, '0'))).error_code(),
              "NotFoundException");
    // The grant of another key is not found under this one.
    EXPECT_EQ(call(operation, with_grant(new_key(), grant)).error_code(), "NotFoundException");
  }
  EXPECT_NE(grants_of(key).find(grant), std::string::npos);
}

TEST_F(Grants, AreRevokedByPolicyAlone) {
  const std::string key = new_key();
  const std::string grant = new_grant(key, kGrantee, R"("Encrypt","RetireGrant")",
                                      R"("RetiringPrincipal":")" + std::string(kRetirer) + "\"");
  EXPECT_TRUE(is_denied(as("user/grantee", "RevokeGrant", with_grant(key, grant))));
  EXPECT_TRUE(is_denied(as("user/retirer", "RevokeGrant", with_grant(key, grant))));
  expect_error(call("RevokeGrant", with_grant(key, grant, R"("DryRun":true)")),
               "DryRunOperationException", kDryRun);
  EXPECT_EQ(encrypt("user/grantee", key).status, 200);
  EXPECT_EQ(succeed("RevokeGrant", with_grant(key, grant)).body, "");
  EXPECT_TRUE(is_denied(encrypt("user/grantee", key)));
}

TEST_F(Grants, AreListedOnceEachInPagesWhileOthersComeAndGo) {
  const std::string key = new_key();
  std::vector<std::string> kept;
  for (int i = 0; i < 5; ++i) kept.push_back(new_grant(key, kGrantee, R"("Encrypt")"));
  std::vector<std::string> seen;
  std::string marker;
  while (true) {
    const Reply page =
        succeed("ListGrants",
                with_key(key, R"("Limit":2)" +
                                  (marker.empty() ? "" : R"(,"Marker":)" + json_string(marker))));
    for (int i = 0; page.at("Grants." + std::to_string(i) + ".GrantId"); ++i) {
      seen.push_back(page.text("Grants." + std::to_string(i) + ".GrantId"));
    }
    // The last one of the page goes, and with it the place that the marker names.
    const std::string passing = new_grant(key, kGrantee, R"("Decrypt")");
    succeed("RevokeGrant", with_grant(key, passing));
    if (page.text("Truncated") == "false") break;
    succeed("RevokeGrant", with_grant(key, seen.back()));
    marker = page.text("NextMarker");
  }
  std::ranges::sort(kept);
  EXPECT_EQ(seen, kept);
  EXPECT_EQ(call("ListGrants", with_key(key, R"("Marker":"x")")).error_code(),
            "InvalidMarkerException");
}

TEST_F(Grants, AreFilteredByIdAndGrantee) {
  const std::string key = new_key();
  const std::string one = new_grant(key, kGrantee, R"("Encrypt")");
  const std::string two = new_grant(key, kRetirer, R"("Encrypt")");
  const auto ids = [&](const std::string& filter) {
    const Reply reply = succeed("ListGrants", with_key(key, filter));
    EXPECT_FALSE(reply.at("Grants.1.GrantId")) << reply.body;
    return reply.at("Grants.0.GrantId").value_or("");
  };
  EXPECT_EQ(ids(R"("GrantId":")" + two + "\""), two);
  EXPECT_EQ(ids(R"("GranteePrincipal":")" + std::string(kGrantee) + "\""), one);
  EXPECT_EQ(ids(R"("GranteePrincipal":"arn:aws:iam::111122223333:user/none")"), "");
  EXPECT_EQ(call("ListGrants", with_key(key, R"("GrantId":"abc")")).error_code(),
            "InvalidGrantIdException");
}

TEST_F(Grants, OfAllKeysAreListedByWhoMayRetireThem) {
  constexpr std::string_view kOther = "777788889999";
  const std::string key = new_key();
  const std::string retirer = "arn:aws:iam::777788889999:user/retirer";
  const std::string grant =
      new_grant(key, kGrantee, R"("Encrypt")", R"("RetiringPrincipal":")" + retirer + "\"");
  new_grant(key, kGrantee, R"("Encrypt")");
  const std::string body = R"({"RetiringPrincipal":")" + retirer + "\"}";
  const Reply listed = as("user/any", "ListRetirableGrants", body, kAllowAll, kOther);
  EXPECT_EQ(listed.text("Grants.0.GrantId"), grant);
  EXPECT_EQ(listed.text("Grants.0.KeyId"), arn(key));
  EXPECT_FALSE(listed.at("Grants.1.GrantId"));
  EXPECT_EQ(as("user/any", "ListRetirableGrants", body, kAllowAll).error_code(),
            "InvalidArnException");
  EXPECT_EQ(Client(service(), make_actor(kOther, "user/any"), "us-east-1")
                .call("ListRetirableGrants", body)
                .body,
            R"({"Grants":[],"Truncated":false})");
}

TEST_F(Grants, GoWithTheirKey) {
  const std::string key = new_key();
  const std::string grant = new_grant(key, kGrantee, R"("Encrypt")",
                                      R"("RetiringPrincipal":")" + std::string(kRetirer) + "\"");
  succeed("ScheduleKeyDeletion", with_key(key, R"("PendingWindowInDays":7)"));
  clock().advance(kDay * 7);
  service().run_due_work();
  EXPECT_EQ(call("ListRetirableGrants", R"({"RetiringPrincipal":")" + std::string(kRetirer) + "\"}")
                .body.find(grant),
            std::string::npos);
  EXPECT_EQ(call("ListGrants", with_key(key)).error_code(), "NotFoundException");
}

class LastUsage : public ServiceTest {};

TEST_F(LastUsage, OfAKeyIsItsLastSuccessfulCryptographicOperation) {
  const std::string key = new_key();
  const Reply unused = succeed("GetKeyLastUsage", with_key(key));
  EXPECT_NE(unused.body.find(R"("KeyLastUsage":{},)"), std::string::npos) << unused.body;
  EXPECT_EQ(unused.text("KeyId"), key);
  const std::string blob = encrypted(key);
  EXPECT_EQ(succeed("GetKeyLastUsage", with_key(key)).text("KeyLastUsage.Operation"), "Encrypt");
  clock().advance(milliseconds(5));
  succeed("Decrypt", with_ciphertext(blob));
  call("Decrypt", with_ciphertext("AAAA"));
  succeed("DescribeKey", with_key(key));
  const Reply used = succeed("GetKeyLastUsage", with_key(key));
  EXPECT_EQ(used.text("KeyLastUsage.Operation"), "Decrypt");
  EXPECT_EQ(used.text("KeyLastUsage.CloudTrailEventId"), "e-1");
  EXPECT_EQ(used.text("KeyLastUsage.KmsRequestId"), "r-1");
  // What the store has of it is the same.
  service().run_due_work();
  EXPECT_EQ(succeed("GetKeyLastUsage", with_key(key)).body, used.body);
}

TEST_F(LastUsage, IsSomethingThatDeletionCanBeMadeToWaitFor) {
  const std::string key = new_key();
  constexpr std::string_view kUnused =
      R"({"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:DisableKey",)"
      R"("Resource":"*","Condition":{"NumericGreaterThanEquals":)"
      R"({"kms:TrailingDaysWithoutKeyUsage":"30"}}}]})";
  const auto disable = [&] {
    return Client(service(), make_actor(kAccount, "user/cleaner", kUnused))
        .call("DisableKey", with_key(key));
  };
  clock().advance(kDay * 29);
  encrypted(key);
  clock().advance(kDay * 30 - milliseconds(1));
  EXPECT_EQ(disable().error_code(), "AccessDeniedException");
  clock().advance(milliseconds(1));
  EXPECT_EQ(disable().status, 200);
}

}  // namespace
}  // namespace keyhold::api

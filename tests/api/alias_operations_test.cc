// Aliases as callers see them, on the whole service.
#include <gtest/gtest.h>

#include "service_fixture.h"

namespace keyhold::api::test {
namespace {

class AliasOperations : public ServiceTest {
 protected:
  static std::string alias(const std::string& name, const std::string& target = {}) {
    return R"({"AliasName":")" + name + "\"" +
           (target.empty() ? "" : R"(,"TargetKeyId":")" + target + "\"") + "}";
  }
  static std::string alias_arn(const std::string& name) {
    return "arn:aws:kms:eu-central-1:111122223333:" + name;
  }
};

TEST_F(AliasOperations, AreListedWithTheBareIdOfTheirKey) {
  const std::string id = new_key();
  const std::string created = std::to_string(clock().now().time_since_epoch().count());
  const std::string date =
      created.substr(0, created.size() - 3) + "." + created.substr(created.size() - 3);
  EXPECT_EQ(succeed("CreateAlias", alias("alias/listed", arn(id))).body, "");
  const std::string entry = R"({"AliasArn":")" + alias_arn("alias/listed") +
                            R"(","AliasName":"alias/listed","CreationDate":)" + date +
                            R"(,"LastUpdatedDate":)" + date + R"(,"TargetKeyId":")" + id + "\"}";
  const std::string list = R"({"Aliases":[)" + entry + R"(],"Truncated":false})";
  EXPECT_EQ(succeed("ListAliases", with_key(id)).body, list);
  EXPECT_EQ(succeed("ListAliases", with_key(arn(id))).body, list);
  EXPECT_NE(succeed("ListAliases").body.find(entry), std::string::npos);
}

TEST_F(AliasOperations, AreUniqueInAccountAndRegion) {
  const std::string id = new_key();
  succeed("CreateAlias", alias("alias/once", id));
  expect_error(call("CreateAlias", alias("alias/once", new_key())), "AlreadyExistsException",
               "An alias with the name " + alias_arn("alias/once") + " already exists");
  Client elsewhere(service(), kAccount, "us-west-2");
  const std::string other = elsewhere.call("CreateKey").text("KeyMetadata.KeyId");
  EXPECT_EQ(elsewhere.call("CreateAlias", alias("alias/once", other)).status, 200);
  succeed("CreateAlias", alias("alias/Once", id));
}

TEST_F(AliasOperations, KeepTheirNameWhileDeletionWaits) {
  const std::string id = new_key();
  succeed("CreateAlias", alias("alias/kept", id));
  put_in_state(id, KeyState::kPendingDeletion);
  expect_error(call("CreateAlias", alias("alias/kept", new_key())), "AlreadyExistsException",
               "An alias with the name " + alias_arn("alias/kept") + " already exists");
}

TEST_F(AliasOperations, MoveAwayFromAPendingKeyButNotOntoOne) {
  const std::string pending = new_key();
  const std::string good = new_key();
  succeed("CreateAlias", alias("alias/moving", pending));
  put_in_state(pending, KeyState::kPendingDeletion);
  clock().advance(std::chrono::seconds(1));
  EXPECT_EQ(succeed("UpdateAlias", alias("alias/moving", good)).body, "");
  const Reply listed = succeed("ListAliases", with_key(good));
  EXPECT_EQ(listed.text("Aliases.0.AliasName"), "alias/moving");
  EXPECT_NE(listed.at("Aliases.0.CreationDate"), std::nullopt);
  expect_error(call("UpdateAlias", alias("alias/moving", pending)), "KMSInvalidStateException",
               arn(pending) + " is pending deletion.");
  expect_error(call("CreateAlias", alias("alias/onto-pending", pending)),
               "KMSInvalidStateException", arn(pending) + " is pending deletion.");
}

TEST_F(AliasOperations, AreDeletedInAnyState) {
  const std::string id = new_key();
  succeed("CreateAlias", alias("alias/gone", id));
  put_in_state(id, KeyState::kPendingDeletion);
  const Reply deleted = succeed("DeleteAlias", alias("alias/gone"));
  EXPECT_EQ(deleted.body, "");
  ASSERT_EQ(deleted.record.resources.size(), 2U);
  EXPECT_EQ(succeed("ListAliases", with_key(id)).body, R"({"Aliases":[],"Truncated":false})");
}

TEST_F(AliasOperations, ThatDoNotExistAreNamedByTheirArn) {
  const std::string id = new_key();
  for (const std::string name : {"alias/none", "alias/aws/s3"}) {
    const std::string text = "Alias " + alias_arn(name) + " is not found.";
    expect_error(call("UpdateAlias", alias(name, id)), "NotFoundException", text);
    expect_error(call("DeleteAlias", alias(name)), "NotFoundException", text);
  }
}

TEST_F(AliasOperations, NeedAKeyThatExists) {
  const std::string unknown = "deadbeef-dead-4eef-8ead-deadbeefdead";
  expect_error(call("CreateAlias", alias("alias/x", unknown)), "NotFoundException",
               "Key '" + arn(unknown) + "' does not exist");
}

TEST_F(AliasOperations, AreLimitedInNumber) {
  const std::string id = new_key();
  for (int i = 0; i < kAliasLimit; ++i) {
    succeed("CreateAlias", alias("alias/limit-" + std::to_string(i), id));
  }
  EXPECT_EQ(call("CreateAlias", alias("alias/limit", id)).at("__type"), "LimitExceededException");
  succeed("CreateAlias", alias("alias/limit-elsewhere", new_key()));
  EXPECT_EQ(call("UpdateAlias", alias("alias/limit-elsewhere", id)).at("__type"),
            "LimitExceededException");
}

}  // namespace
}  // namespace keyhold::api::test

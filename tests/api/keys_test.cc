// Keys: making, describing, listing, naming, states. AWS's texts, on the whole service.
#include <gtest/gtest.h>

#include <array>
#include <map>
#include <set>

#include "service_fixture.h"

namespace keyhold::api::test {
namespace {

using Keys = ServiceTest;

TEST_F(Keys, AreBornEnabledWithAwsDefaults) {
  const Reply made = succeed("CreateKey", R"({"Description":"mine"})");
  const std::string id = made.text("KeyMetadata.KeyId");
  EXPECT_EQ(made.text("KeyMetadata.Arn"), arn(id));
  EXPECT_EQ(made.text("KeyMetadata.Description"), "mine");
  EXPECT_EQ(made.text("KeyMetadata.Enabled"), "true");
  EXPECT_EQ(made.text("KeyMetadata.KeyState"), "Enabled");
  EXPECT_EQ(made.text("KeyMetadata.CurrentKeyMaterialId").size(), 64U);
  EXPECT_FALSE(made.at("KeyMetadata.DeletionDate"));
  EXPECT_EQ(succeed("DescribeKey", with_key(id)).body, made.body);
  EXPECT_EQ(succeed("DescribeKey", with_key(arn(id))).body, made.body);
}

TEST_F(Keys, HaveAnEmptyDescriptionWithoutOne) {
  EXPECT_EQ(succeed("CreateKey").text("KeyMetadata.Description"), "");
}

TEST_F(Keys, ThatDoNotExistAreNamedByTheirArn) {
  const std::string unknown = "deadbeef-dead-4eef-8ead-deadbeefdead";
  const std::string text = "Key '" + arn(unknown) + "' does not exist";
  for (const char* operation : {"DescribeKey", "EnableKey", "RotateKeyOnDemand",
                                "GetKeyRotationStatus", "ListKeyRotations", "ListAliases"}) {
    expect_error(call(operation, with_key(unknown)), "NotFoundException", text);
    expect_error(call(operation, with_key(arn(unknown))), "NotFoundException", text);
  }
  const std::string multi_region = "mrk-" + std::string(32, 'a');
  expect_error(call("DescribeKey", with_key(multi_region)), "NotFoundException",
               "Key '" + arn(multi_region) + "' does not exist");
}

TEST_F(Keys, RefuseIdsThatAreNone) {
  for (const std::string id :
       {"fake-key-id", "mrk-fake-key-id", "1234abcd12ab34cd56ef1234567890ab"}) {
    expect_error(call("DescribeKey", with_key(id)), "NotFoundException",
                 "Invalid keyId '" + id + "'");
    expect_error(call("DescribeKey", with_key(arn(id))), "NotFoundException",
                 "Invalid keyId " + id);
  }
}

TEST_F(Keys, OfAnotherRegionAreInvalidArns) {
  expect_error(call("DescribeKey", with_key("arn:aws:kms:us-west-2:111122223333:key/" + new_key())),
               "NotFoundException", "Invalid arn us-west-2");
  expect_error(call("Encrypt", with_key("arn:aws:kms:us-west-2:111122223333:alias/a",
                                        R"("Plaintext":"AAAA")")),
               "NotFoundException", "Invalid arn us-west-2");
}

TEST_F(Keys, LiveInTheirRegionAlone) {
  const std::string id = new_key();
  Client elsewhere(service(), kAccount, "us-west-2");
  expect_error(elsewhere.call("DescribeKey", with_key(id)), "NotFoundException",
               "Key 'arn:aws:kms:us-west-2:111122223333:key/" + id + "' does not exist");
}

TEST_F(Keys, AreHiddenFromOtherAccounts) {
  const std::string id = new_key();
  Client stranger(service(), "444455556666");
  expect_error(stranger.call("DescribeKey", with_key(id)), "NotFoundException",
               "Key 'arn:aws:kms:eu-central-1:444455556666:key/" + id + "' does not exist");
  for (const std::string& key : {id, std::string("deadbeef-dead-4eef-8ead-deadbeefdead")}) {
    expect_error(stranger.call("DescribeKey", with_key(arn(key))), "AccessDeniedException",
                 "User: arn:aws:iam::444455556666:user/test is not authorized to perform: "
                 "kms:DescribeKey on this resource because the resource does not exist in this "
                 "Region, no resource-based policies allow access, or a resource-based policy "
                 "explicitly denies access");
  }
  const std::string unknown_to_stranger =
      "The ciphertext refers to a customer master key that does not exist, does not exist in this "
      "region, or you are not allowed to access.";
  expect_error(stranger.call("Decrypt", with_ciphertext(encrypted(id))), "AccessDeniedException",
               unknown_to_stranger);
  Client elsewhere(service(), kAccount, "us-west-2");
  expect_error(elsewhere.call("Decrypt", with_ciphertext(encrypted(id))), "AccessDeniedException",
               unknown_to_stranger);
}

TEST_F(Keys, TakeNoAliasWhereAwsTakesNone) {
  for (const char* operation :
       {"ScheduleKeyDeletion", "CancelKeyDeletion", "EnableKey", "DisableKey",
        "GetKeyRotationStatus", "EnableKeyRotation", "DisableKeyRotation", "RotateKeyOnDemand",
        "ListKeyRotations", "ListAliases"}) {
    for (const std::string alias :
         {"alias/none", "arn:aws:kms:eu-central-1:111122223333:alias/none"}) {
      SCOPED_TRACE(operation);
      expect_error(call(operation, with_key(alias)), "InvalidArnException",
                   "Key Aliases are not supported for this operation.");
    }
  }
  expect_error(call("UpdateKeyDescription", with_key("alias/none", R"("Description":"d")")),
               "InvalidArnException", "Key Aliases are not supported for this operation.");
}

TEST_F(Keys, TakeAnAliasWhereAwsTakesOne) {
  const std::string id = new_key();
  succeed("CreateAlias", R"({"AliasName":"alias/taken","TargetKeyId":")" + id + "\"}");
  for (const std::string alias :
       {"alias/taken", "arn:aws:kms:eu-central-1:111122223333:alias/taken"}) {
    EXPECT_EQ(succeed("DescribeKey", with_key(alias)).text("KeyMetadata.KeyId"), id);
    const Reply reply = succeed("Encrypt", with_key(alias, R"("Plaintext":"AAAA")"));
    EXPECT_EQ(reply.text("KeyId"), arn(id));
    EXPECT_EQ(reply.record.request_parameters.find("alias/taken") != std::string::npos, true);
    succeed("GenerateDataKey", with_key(alias, R"("KeySpec":"AES_256")"));
    succeed("Decrypt",
            with_ciphertext(reply.text("CiphertextBlob"), R"("KeyId":")" + alias + "\""));
  }
  const std::string unknown =
      "Alias arn:aws:kms:eu-central-1:111122223333:alias/none is not found.";
  expect_error(call("DescribeKey", with_key("alias/none")), "NotFoundException", unknown);
  expect_error(call("DescribeKey", with_key("arn:aws:kms:eu-central-1:111122223333:alias/none")),
               "NotFoundException", unknown);
}

TEST_F(Keys, RefuseArnsThatAreNone) {
  EXPECT_EQ(call("DescribeKey", with_key("arn:aws:s3:::bucket")).at("__type"),
            "InvalidArnException");
}

TEST_F(Keys, AreListedPageByPage) {
  Client owner(service(), "777788889999");
  std::set<std::string> made;
  for (int i = 0; i < 5; ++i) made.insert(owner.call("CreateKey").text("KeyMetadata.KeyId"));
  std::set<std::string> listed;
  std::string marker;
  int pages = 0;
  while (true) {
    const Reply page = owner.call("ListKeys", R"({"Limit":2)" + marker + "}");
    ++pages;
    for (int i = 0; page.at("Keys." + std::to_string(i)); ++i) {
      const std::string id = page.text("Keys." + std::to_string(i) + ".KeyId");
      EXPECT_EQ(page.text("Keys." + std::to_string(i) + ".KeyArn"),
                "arn:aws:kms:eu-central-1:777788889999:key/" + id);
      EXPECT_TRUE(listed.insert(id).second);
    }
    if (page.text("Truncated") == "false") {
      EXPECT_FALSE(page.at("NextMarker"));
      break;
    }
    marker = R"(,"Marker":)" + json_string(page.text("NextMarker"));
  }
  EXPECT_EQ(listed, made);
  EXPECT_EQ(pages, 3);
}

TEST_F(Keys, RefuseMarkersOfOtherLists) {
  EXPECT_EQ(call("ListKeys", R"({"Marker":"nonsense"})").at("__type"), "InvalidMarkerException");
  EXPECT_EQ(call("ListAliases", R"({"Marker":"nonsense"})").at("__type"), "InvalidMarkerException");
  EXPECT_EQ(call("ListKeyRotations", with_key(new_key(), R"("Marker":"nonsense")")).at("__type"),
            "InvalidMarkerException");
}

TEST_F(Keys, ChangeTheirDescription) {
  const std::string id = new_key();
  EXPECT_EQ(succeed("UpdateKeyDescription", with_key(id, R"("Description":"ünï")")).body, "");
  EXPECT_EQ(succeed("DescribeKey", with_key(id)).text("KeyMetadata.Description"), "ünï");
}

TEST_F(Keys, AreEnabledAndDisabledAgainAndAgain) {
  const std::string id = new_key();
  for (int i = 0; i < 2; ++i) EXPECT_EQ(succeed("DisableKey", with_key(id)).body, "");
  const Reply disabled = succeed("DescribeKey", with_key(id));
  EXPECT_EQ(disabled.text("KeyMetadata.KeyState"), "Disabled");
  EXPECT_EQ(disabled.text("KeyMetadata.Enabled"), "false");
  for (int i = 0; i < 2; ++i) EXPECT_EQ(succeed("EnableKey", with_key(id)).body, "");
  EXPECT_EQ(succeed("DescribeKey", with_key(id)).text("KeyMetadata.KeyState"), "Enabled");
}

TEST_F(Keys, WaitForTheirDeletionAndComeBackDisabled) {
  const std::string id = new_key();
  const auto deletion_at = clock().now() + kDay * 7;
  const Reply scheduled =
      succeed("ScheduleKeyDeletion", with_key(id, R"("PendingWindowInDays":7)"));
  const std::string milliseconds_at = std::to_string(deletion_at.time_since_epoch().count());
  const std::string date = milliseconds_at.substr(0, milliseconds_at.size() - 3) + "." +
                           milliseconds_at.substr(milliseconds_at.size() - 3);
  EXPECT_EQ(scheduled.body, R"({"DeletionDate":)" + date + R"(,"KeyId":")" + arn(id) +
                                R"(","KeyState":"PendingDeletion","PendingWindowInDays":7})");
  expect_error(call("ScheduleKeyDeletion", with_key(id)), "KMSInvalidStateException",
               arn(id) + " is pending deletion.");
  EXPECT_EQ(succeed("CancelKeyDeletion", with_key(id)).body, R"({"KeyId":")" + arn(id) + "\"}");
  const Reply described = succeed("DescribeKey", with_key(id));
  EXPECT_EQ(described.text("KeyMetadata.KeyState"), "Disabled");
  EXPECT_FALSE(described.at("KeyMetadata.DeletionDate"));
  expect_error(call("CancelKeyDeletion", with_key(id)), "KMSInvalidStateException",
               arn(id) + " is not pending deletion.");
}

TEST_F(Keys, WaitFromSevenToThirtyDays) {
  const std::string id = new_key();
  for (const char* days : {"1", "6", "31", "365"}) {
    expect_error(
        call("ScheduleKeyDeletion", with_key(id, R"("PendingWindowInDays":)" + std::string(days))),
        "ValidationException", "PendingWindowInDays must be between 7 and 30");
  }
  EXPECT_EQ(succeed("ScheduleKeyDeletion", with_key(id)).text("PendingWindowInDays"), "30");
}

/// The answer of each operation to a key in each state (developer guide, "Key states of AWS KMS
/// keys"): Enabled, Disabled, PendingDeletion.
enum class Cell { kOk, kDisabled, kPending, kNotPending };
using Row = std::array<Cell, 3>;
constexpr Row kUse{Cell::kOk, Cell::kDisabled, Cell::kPending};
constexpr Row kManage{Cell::kOk, Cell::kOk, Cell::kPending};
constexpr Row kCancel{Cell::kNotPending, Cell::kNotPending, Cell::kOk};
constexpr Row kAlways{Cell::kOk, Cell::kOk, Cell::kOk};
const std::map<std::string_view, Row> kKeyStates = {{"CancelKeyDeletion", kCancel},
                                                    {"CreateAlias", kManage},
                                                    {"CreateGrant", kUse},
                                                    {"Decrypt", kUse},
                                                    {"DeleteAlias", kAlways},
                                                    {"DescribeKey", kAlways},
                                                    {"DeriveSharedSecret", kUse},
                                                    {"DisableKey", kManage},
                                                    {"DisableKeyRotation", kUse},
                                                    {"EnableKey", kManage},
                                                    {"EnableKeyRotation", kUse},
                                                    {"Encrypt", kUse},
                                                    {"GenerateDataKey", kUse},
                                                    {"GenerateDataKeyPair", kUse},
                                                    {"GenerateDataKeyPairWithoutPlaintext", kUse},
                                                    {"GenerateDataKeyWithoutPlaintext", kUse},
                                                    {"GenerateMac", kUse},
                                                    {"GetKeyLastUsage", kAlways},
                                                    {"GetKeyPolicy", kAlways},
                                                    {"GetKeyRotationStatus", kAlways},
                                                    {"GetPublicKey", kManage},
                                                    {"ListAliases", kAlways},
                                                    {"ListGrants", kAlways},
                                                    {"ListKeyPolicies", kAlways},
                                                    {"ListKeyRotations", kAlways},
                                                    {"ListResourceTags", kAlways},
                                                    {"PutKeyPolicy", kAlways},
                                                    {"ReEncrypt", kUse},
                                                    {"RetireGrant", kAlways},
                                                    {"RevokeGrant", kAlways},
                                                    {"RotateKeyOnDemand", kUse},
                                                    {"ScheduleKeyDeletion", kManage},
                                                    {"Sign", kUse},
                                                    {"TagResource", kManage},
                                                    {"UntagResource", kManage},
                                                    {"UpdateAlias", kManage},
                                                    {"UpdateKeyDescription", kManage},
                                                    {"Verify", kUse},
                                                    {"VerifyMac", kUse}};

TEST_F(Keys, ObeyAwsTableOfStatesInEveryOperation) {
  constexpr std::array kStates{KeyState::kEnabled, KeyState::kDisabled, KeyState::kPendingDeletion};
  for (const Operation* operation : operations()) {
    // Of keys whose material is imported: see Imports.
    if (operation->keys.size() == 0 || operation->keys[0].origin) continue;
    ASSERT_TRUE(kKeyStates.contains(operation->name)) << operation->name;
    for (std::size_t i = 0; i < kStates.size(); ++i) {
      SCOPED_TRACE(std::string(operation->name) + " in " + std::string(to_string(kStates[i])));
      const std::string id = new_key_for(*operation);
      succeed("CreateAlias",
              R"({"AliasName":"alias/on-)" + id + R"(","TargetKeyId":")" + id + "\"}");
      const std::string grant =
          new_grant(id, "arn:aws:iam::111122223333:user/test", R"("DescribeKey")");
      const std::string body = sample_body(*operation, id, grant);
      put_in_state(id, kStates[i]);
      const Reply reply = call(operation->name, body);
      switch (kKeyStates.at(operation->name)[i]) {
        case Cell::kOk:
          EXPECT_EQ(reply.status, 200) << reply.body;
          break;
        case Cell::kDisabled:
          expect_error(reply, "DisabledException", arn(id) + " is disabled.");
          break;
        case Cell::kPending:
          expect_error(reply, "KMSInvalidStateException", arn(id) + " is pending deletion.");
          break;
        case Cell::kNotPending:
          expect_error(reply, "KMSInvalidStateException", arn(id) + " is not pending deletion.");
          break;
      }
    }
  }
}

}  // namespace
}  // namespace keyhold::api::test

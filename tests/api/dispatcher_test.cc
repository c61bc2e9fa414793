#include "api/dispatcher.h"

#include <gtest/gtest.h>

#include <set>

#include "api/error_body.h"
#include "api_client.h"
#include "base/base64.h"
#include "fake_service.h"

namespace keyhold::api::test {
namespace {

class DispatcherTest : public ::testing::Test {
 protected:
  static std::string with_key(const std::string& more = {}) {
    return R"({"KeyId":")" + std::string(kKeyId) + "\"" + (more.empty() ? "" : "," + more) + "}";
  }
  FakeService service_;
  Client client_{service_};
  const std::string arn_ = "arn:aws:kms:eu-central-1:111122223333:key/" + std::string(kKeyId);
};

TEST_F(DispatcherTest, RefusesTargetsThatAreNotExact) {
  for (const char* target : {"", "TrentService.", "TrentService.encrypt", "trentservice.Encrypt",
                             "TrentService.Encrypt ", "Encrypt", "DynamoDB_20120810.ListTables",
                             "TrentService.NoSuchThing", "TrentService.TrentService.Encrypt"}) {
    SCOPED_TRACE(target);
    const Reply reply = client_.send(target, with_key());
    expect_error(reply, "UnknownOperationException");
    EXPECT_EQ(reply.record.operation, "");
  }
}

TEST_F(DispatcherTest, NamesTheOperationThatIsMissing) {
  for (const auto& missing : missing_operations()) {
    const Reply reply = client_.call(missing.name, "not even JSON");
    expect_error(reply, "UnsupportedOperationException",
                 "The operation " + std::string(missing.name) + " is not supported.");
    EXPECT_EQ(reply.record.operation, missing.name);
    EXPECT_EQ(reply.record.effect, missing.effect);
  }
}

TEST_F(DispatcherTest, TakesAnEmptyBodyForAnEmptyObject) {
  EXPECT_EQ(client_.call("ListKeys", "").status, 200);
  EXPECT_EQ(client_.call("CreateKey", "").status, 200);
}

TEST_F(DispatcherTest, RefusesBodiesThatAreNotOneJsonObject) {
  for (const char* body : {"{", "[]", "\"text\"", "null", "{}{}",
                           "{\"KeyId\":\"a\",\"KeyId\":\"b\"}", "{'KeyId':'a'}", " "}) {
    SCOPED_TRACE(body);
    expect_error(client_.call("DescribeKey", body), "SerializationException");
  }
}

TEST_F(DispatcherTest, AnswersNothingWhereAwsAnswersNothing) {
  const std::string alias =
      R"({"AliasName":"alias/known","TargetKeyId":")" + std::string(kKeyId) + "\"}";
  const std::vector<std::pair<std::string, std::string>> calls = {
      {"EnableKey", with_key()},
      {"DisableKey", with_key()},
      {"EnableKeyRotation", with_key()},
      {"DisableKeyRotation", with_key()},
      {"UpdateKeyDescription", with_key(R"("Description":"d")")},
      {"CreateAlias", alias},
      {"UpdateAlias", alias},
      {"DeleteAlias", alias}};
  for (const auto& [operation, body] : calls) {
    SCOPED_TRACE(operation);
    const Reply reply = client_.call(operation, body);
    EXPECT_EQ(reply.status, 200);
    EXPECT_EQ(reply.body, "");
    EXPECT_EQ(reply.record.response_elements, R"({"keyId":")" + arn_ + "\"}");
  }
}

TEST_F(DispatcherTest, SendsKeyMetadataAsRecorded) {
  service_.record().description = "sample";
  EXPECT_EQ(client_.call("DescribeKey", with_key()).body,
            R"({"KeyMetadata":{"AWSAccountId":"111122223333","Arn":")" + arn_ +
                R"(","CreationDate":1608639949.636,"CurrentKeyMaterialId":")" +
                std::string(64, 'a') +
                R"(","CustomerMasterKeySpec":"SYMMETRIC_DEFAULT","Description":"sample",)"
                R"("Enabled":true,"EncryptionAlgorithms":["SYMMETRIC_DEFAULT"],"KeyId":")" +
                std::string(kKeyId) +
                R"(","KeyManager":"CUSTOMER","KeySpec":"SYMMETRIC_DEFAULT","KeyState":"Enabled",)"
                R"("KeyUsage":"ENCRYPT_DECRYPT","MultiRegion":false,"Origin":"AWS_KMS"}})");
}

TEST_F(DispatcherTest, ShowsTheDeletionDateOfAKeyThatWaitsForIt) {
  service_.record().state = KeyState::kPendingDeletion;
  service_.record().deletion_at = TimePoint(milliseconds(1700000000001));
  const Reply reply = client_.call("DescribeKey", with_key());
  EXPECT_EQ(reply.text("KeyMetadata.KeyState"), "PendingDeletion");
  EXPECT_EQ(reply.text("KeyMetadata.Enabled"), "false");
  EXPECT_NE(reply.body.find(R"("DeletionDate":1700000000.001,)"), std::string::npos);
}

TEST_F(DispatcherTest, CapsPagesAtTheirLargestSize) {
  client_.call("ListKeys", "{}");
  client_.call("ListKeys", R"({"Limit":1000})");
  client_.call("ListKeys", R"({"Limit":7})");
  client_.call("ListAliases", "{}");
  client_.call("ListAliases", R"({"Limit":1000})");
  client_.call("ListAliases", R"({"Limit":7})");
  EXPECT_EQ(service_.calls,
            (std::vector<std::string>{"list_keys 100", "list_keys 1000", "list_keys 7",
                                      "list_aliases 50", "list_aliases 100", "list_aliases 7"}));
}

TEST_F(DispatcherTest, SendsAMarkerOnlyWithMore) {
  const Reply more = client_.call("ListKeys", "{}");
  EXPECT_EQ(more.body, R"({"Keys":[{"KeyArn":")" + arn_ + R"(","KeyId":")" + std::string(kKeyId) +
                           R"("}],"NextMarker":"next","Truncated":true})");
  EXPECT_EQ(client_.call("ListAliases", "{}").body, R"({"Aliases":[],"Truncated":false})");
}

TEST_F(DispatcherTest, HasNoCustomKeyStores) {
  EXPECT_EQ(client_.call("DescribeCustomKeyStores").body,
            R"({"CustomKeyStores":[],"Truncated":false})");
  expect_error(client_.call("DescribeCustomKeyStores", R"({"CustomKeyStoreId":"cks-1"})"),
               "CustomKeyStoreNotFoundException", "There are no custom key stores.");
  expect_error(client_.call("DescribeCustomKeyStores", R"({"CustomKeyStoreName":"n"})"),
               "CustomKeyStoreNotFoundException", "There are no custom key stores.");
  expect_error(client_.call("DescribeCustomKeyStores", R"({"Marker":"m"})"),
               "InvalidMarkerException", "The marker is not valid.");
}

TEST_F(DispatcherTest, UsesAwsDefaults) {
  client_.call("EnableKeyRotation", with_key());
  client_.call("ScheduleKeyDeletion", with_key());
  client_.call("GenerateDataKey", with_key(R"("KeySpec":"AES_128")"));
  client_.call("GenerateDataKey", with_key(R"("KeySpec":"AES_256")"));
  client_.call("GenerateDataKey", with_key(R"("NumberOfBytes":1024)"));
  EXPECT_EQ(service_.calls, (std::vector<std::string>{"enable_rotation 365", "schedule_deletion 30",
                                                      "random 16", "encrypt", "random 32",
                                                      "encrypt", "random 1024", "encrypt"}));
}

TEST_F(DispatcherTest, KnowsOnWhichPagesKeyUnavailableStands) {
  service_.failure = Error(ErrorCode::kKeyUnavailable, "The token is away.", "CKR 0x32");
  expect_error(client_.call("Encrypt", with_key(R"("Plaintext":"AAAA")")),
               "KeyUnavailableException", "The token is away.");
  expect_error(client_.call("CreateKey"), "KMSInternalException", "The token is away.");
  expect_error(client_.call("RotateKeyOnDemand", with_key()), "KMSInternalException",
               "The token is away.");
}

TEST_F(DispatcherTest, TurnsABugIntoAnInternalErrorThatSaysNothing) {
  service_.bug = "vector::at";
  expect_error(client_.call("Encrypt", with_key(R"("Plaintext":"AAAA")")), "KMSInternalException");
}

TEST_F(DispatcherTest, SendsNoDetail) {
  service_.failure = Error(ErrorCode::kKmsInternal, {}, "CKR_DEVICE_ERROR");
  expect_error(client_.call("Encrypt", with_key(R"("Plaintext":"AAAA")")), "KMSInternalException");
}

TEST_F(DispatcherTest, KnowsHeavyOperationsByTheirTarget) {
  EXPECT_EQ(Dispatcher::weight("TrentService.Encrypt"), Weight::kLight);
  EXPECT_EQ(Dispatcher::weight("TrentService.CreateKey"), Weight::kHeavy);
  EXPECT_EQ(Dispatcher::weight("TrentService.NoSuchThing"), Weight::kLight);
  // What writes waits for a disk; of what reads, RSA takes the token milliseconds and more.
  const std::set<std::string_view> slow = {"GenerateDataKeyPair",
                                           "GenerateDataKeyPairWithoutPlaintext",
                                           "GetParametersForImport", "Sign"};
  for (const Operation* operation : operations()) {
    const bool heavy = operation->effect == Effect::kWrite || slow.contains(operation->name);
    EXPECT_EQ(operation->weight, heavy ? Weight::kHeavy : Weight::kLight) << operation->name;
  }
}

TEST(ErrorBody, SpellsTheTextOfAccessDeniedWithACapital) {
  EXPECT_EQ(error_body(Error(ErrorCode::kAccessDenied, "no")).text(),
            R"({"__type":"AccessDeniedException","Message":"no"})");
  EXPECT_EQ(error_body(Error(ErrorCode::kNotFound, "n\"o")).text(),
            R"({"__type":"NotFoundException","message":"n\"o"})");
  EXPECT_EQ(error_body(Error(ErrorCode::kInvalidCiphertext)).text(),
            R"({"__type":"InvalidCiphertextException"})");
}

// What the audit trail is told.

TEST_F(DispatcherTest, RecordsACryptographicCallWithoutItsSecrets) {
  const Reply reply = client_.call(
      "Encrypt", with_key(R"("Plaintext":"c2VjcmV0","EncryptionContext":{"b":"2","a":"1"})"));
  EXPECT_EQ(reply.record.operation, "Encrypt");
  EXPECT_EQ(reply.record.effect, Effect::kRead);
  EXPECT_EQ(reply.record.request_parameters, R"({"keyId":")" + std::string(kKeyId) +
                                                 R"(","encryptionContext":{"a":"1","b":"2"},)"
                                                 R"("encryptionAlgorithm":"SYMMETRIC_DEFAULT"})");
  EXPECT_EQ(reply.record.response_elements, "null");
  EXPECT_TRUE(reply.record.additional_event_data.ends_with(R"(,"keyMaterialId":")" +
                                                           std::string(64, 'a') + "\"}"))
      << reply.record.additional_event_data;
  ASSERT_EQ(reply.record.resources.size(), 1U);
  EXPECT_EQ(reply.record.resources[0].type, "AWS::KMS::Key");
  EXPECT_EQ(reply.record.resources[0].arn, arn_);
  EXPECT_EQ(reply.record.resources[0].account, "111122223333");
  EXPECT_EQ(reply.error_code(), "");
}

TEST_F(DispatcherTest, RecordsTheAlgorithmAndTheKeyOfACiphertext) {
  const Reply reply = client_.call(
      "Decrypt", R"({"CiphertextBlob":")" + to_base64(FakeService::ciphertext()) + "\"}");
  EXPECT_EQ(reply.record.request_parameters, R"({"encryptionAlgorithm":"SYMMETRIC_DEFAULT"})");
  ASSERT_EQ(reply.record.resources.size(), 1U);
  EXPECT_EQ(reply.record.resources[0].arn, arn_);
}

TEST_F(DispatcherTest, RecordsWhatDecidedThatTheCallerMay) {
  const Reply allowed = client_.call("DescribeKey", with_key());
  EXPECT_NE(allowed.record.additional_event_data.find(
                R"({"authorization":["kms:DescribeKey: allowed by statement )"),
            std::string::npos)
      << allowed.record.additional_event_data;
  Client nobody(service_, make_actor(kAccount, "user/nobody", ""));
  const Reply refused = nobody.call("DescribeKey", with_key());
  EXPECT_NE(refused.record.additional_event_data.find(
                R"({"authorization":["kms:DescribeKey: no identity-based policy allows it)"),
            std::string::npos)
      << refused.record.additional_event_data;
}

TEST_F(DispatcherTest, NotesUsesOfKeysThatSucceeded) {
  client_.call("Encrypt", with_key(R"("Plaintext":"AAAA")"));
  client_.call("DescribeKey", with_key());
  client_.call("ReEncrypt", R"({"CiphertextBlob":")" + to_base64(FakeService::ciphertext()) +
                                R"(","DestinationKeyId":")" + std::string(kOtherKeyId) + "\"}");
  client_.call("Encrypt", with_key(R"("Plaintext":"AAAA","DryRun":true)"));
  service_.failure = Error(ErrorCode::kKmsInternal);
  client_.call("Encrypt", with_key(R"("Plaintext":"AAAA")"));
  ASSERT_EQ(service_.usages.size(), 3U);
  EXPECT_EQ(service_.usages[0],
            (store::UsageRecord{std::string(kKeyId), "Encrypt", {}, "e-1", "r-1"}));
  EXPECT_EQ(service_.usages[1].key_id, kKeyId);
  EXPECT_EQ(service_.usages[2].key_id, kOtherKeyId);
  EXPECT_EQ(service_.usages[2].operation, "ReEncrypt");
}

TEST_F(DispatcherTest, RecordsBothKeysOfReEncrypt) {
  const Reply reply =
      client_.call("ReEncrypt", R"({"CiphertextBlob":")" + to_base64(FakeService::ciphertext()) +
                                    R"(","DestinationKeyId":")" + std::string(kOtherKeyId) +
                                    R"(","SourceEncryptionContext":{"a":"1"}})");
  EXPECT_EQ(reply.record.request_parameters,
            R"({"sourceEncryptionContext":{"a":"1"},"destinationKeyId":")" +
                std::string(kOtherKeyId) +
                R"(","sourceEncryptionAlgorithm":"SYMMETRIC_DEFAULT",)"
                R"("destinationEncryptionAlgorithm":"SYMMETRIC_DEFAULT"})");
  EXPECT_TRUE(reply.record.additional_event_data.ends_with(
      R"(,"sourceKeyMaterialId":")" + std::string(64, 'a') + R"(","destinationKeyMaterialId":")" +
      std::string(64, 'a') + "\"}"))
      << reply.record.additional_event_data;
  ASSERT_EQ(reply.record.resources.size(), 2U);
}

TEST_F(DispatcherTest, RecordsCreateKeyWithItsDefaultsAndItsKey) {
  const Reply reply = client_.call("CreateKey", R"({"Description":"d"})");
  EXPECT_EQ(reply.record.effect, Effect::kWrite);
  EXPECT_EQ(reply.record.request_parameters,
            R"({"description":"d","keyUsage":"ENCRYPT_DECRYPT",)"
            R"("customerMasterKeySpec":"SYMMETRIC_DEFAULT","keySpec":"SYMMETRIC_DEFAULT",)"
            R"("origin":"AWS_KMS","bypassPolicyLockoutSafetyCheck":false,"tags":[],)"
            R"("multiRegion":false})");
  EXPECT_EQ(reply.record.response_elements,
            R"({"keyMetadata":{"AWSAccountId":"111122223333","arn":")" + arn_ +
                R"(","creationDate":"Dec 22, 2020, 12:25:49 PM","currentKeyMaterialId":")" +
                std::string(64, 'a') +
                R"(","customerMasterKeySpec":"SYMMETRIC_DEFAULT","description":"d",)"
                R"("enabled":true,"encryptionAlgorithms":["SYMMETRIC_DEFAULT"],"keyId":")" +
                std::string(kKeyId) +
                R"(","keyManager":"CUSTOMER","keySpec":"SYMMETRIC_DEFAULT","keyState":"Enabled",)"
                R"("keyUsage":"ENCRYPT_DECRYPT","multiRegion":false,"origin":"AWS_KMS"}})");
  ASSERT_EQ(reply.record.resources.size(), 1U);
  EXPECT_EQ(reply.record.resources[0].arn, arn_);
}

TEST_F(DispatcherTest, RecordsTheDeletionDateInWords) {
  const Reply reply = client_.call("ScheduleKeyDeletion", with_key(R"("PendingWindowInDays":7)"));
  EXPECT_EQ(reply.record.request_parameters,
            R"({"keyId":")" + std::string(kKeyId) + R"(","pendingWindowInDays":7})");
  EXPECT_EQ(reply.record.response_elements,
            R"({"deletionDate":"Dec 29, 2020, 12:25:49 PM","keyId":")" + arn_ +
                R"(","keyState":"PendingDeletion","pendingWindowInDays":7})");
}

TEST_F(DispatcherTest, RecordsAliasesAndTheirKeys) {
  const Reply reply = client_.call(
      "CreateAlias", R"({"AliasName":"alias/a","TargetKeyId":")" + std::string(kKeyId) + "\"}");
  ASSERT_EQ(reply.record.resources.size(), 2U);
  EXPECT_EQ(reply.record.resources[0].arn, arn_);
  EXPECT_EQ(reply.record.resources[1].type, "AWS::KMS::Alias");
  EXPECT_EQ(reply.record.resources[1].arn, "arn:aws:kms:eu-central-1:111122223333:alias/a");
}

TEST_F(DispatcherTest, RecordsNothingOfGenerateRandom) {
  const Reply reply = client_.call("GenerateRandom", R"({"NumberOfBytes":32})");
  EXPECT_EQ(reply.record.request_parameters, "null");
  EXPECT_EQ(reply.record.response_elements, "null");
  EXPECT_TRUE(reply.record.resources.empty());
}

TEST_F(DispatcherTest, RecordsThatACallWasADryRun) {
  const Reply reply = client_.call("Encrypt", with_key(R"("Plaintext":"AAAA","DryRun":true)"));
  EXPECT_NE(reply.record.request_parameters.find(R"("dryRun":true)"), std::string::npos);
  EXPECT_EQ(reply.error_code(), "DryRunOperationException");
}

TEST_F(DispatcherTest, RecordsAFailedCallWithItsParameters) {
  service_.record().state = KeyState::kDisabled;
  const Reply reply = client_.call("RotateKeyOnDemand", with_key());
  EXPECT_EQ(reply.record.request_parameters, R"({"keyId":")" + std::string(kKeyId) + "\"}");
  EXPECT_EQ(reply.record.response_elements, "null");
  EXPECT_EQ(reply.error_code(), "DisabledException");
}

// Whatever is asked and whatever fails: what must not be in the trail is not.
TEST_F(DispatcherTest, RecordsNoSecretOfAnyOperation) {
  const std::string secret = to_base64(as_bytes("attack at dawn"));
  const std::string blob = to_base64(FakeService::ciphertext());
  const std::vector<std::pair<std::string, std::string>> calls = {
      {"Encrypt", with_key(R"("Plaintext":")" + secret + "\"")},
      {"Encrypt", with_key(R"("Plaintext":")" + secret + R"(","GrantTokens":["t0ken"])")},
      {"Decrypt", with_key(R"("CiphertextBlob":")" + blob + "\"")},
      {"Decrypt", with_key(R"("CiphertextBlob":")" + blob + R"(","GrantTokens":["t0ken"])")},
      {"ReEncrypt",
       R"({"DestinationKeyId":")" + std::string(kKeyId) + R"(","CiphertextBlob":")" + blob + "\"}"},
      {"GenerateDataKey", with_key(R"("KeySpec":"AES_256")")},
      {"GenerateRandom", R"({"NumberOfBytes":32})"}};
  const std::string zeros = to_base64(Bytes(32));
  for (const auto& [operation, body] : calls) {
    const Reply reply = client_.call(operation, body);
    const CallRecord& record = reply.record;
    for (const std::string& text :
         {record.request_parameters, record.response_elements, record.additional_event_data,
          std::string(reply.error_message())}) {
      for (const std::string& hidden :
           {secret, blob, zeros, std::string("t0ken"), std::string("attack at dawn")}) {
        EXPECT_EQ(text.find(hidden), std::string::npos) << operation << ": " << text;
      }
    }
  }
}

}  // namespace
}  // namespace keyhold::api::test

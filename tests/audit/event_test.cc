#include "audit/event.h"

#include <gtest/gtest.h>

#include "json_text.h"

namespace keyhold::audit {
namespace {

// 2025-05-20T20:46:16Z (date -u +%s)
constexpr TimePoint kTime{std::chrono::milliseconds(1747773976999)};
constexpr const char* kArn =
    "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";

ApiCallEvent encrypt() {
  ApiCallEvent event;
  event.time = kTime;
  event.event_name = "Encrypt";
  event.region = "us-west-2";
  event.identity = {IdentityType::kIamUser, "AIDAEXAMPLE", "arn:aws:iam::111122223333:user/Alice",
                    "111122223333",         "AKIAEXAMPLE", "Alice"};
  event.source_ip_address = "192.0.2.0";
  event.user_agent = "aws-cli/2";
  event.request_parameters =
      R"({"encryptionContext":{"Department":"Engineering"},"keyId":"alias/a"})";
  event.additional_event_data = R"({"keyMaterialId":"00ff"})";
  event.request_id = "7d59a5f5-5a12-4ba9-9f13-d6d9bb0b1b0f";
  event.event_id = "f5a7fd07-6a5f-4e5c-9d13-ba6a4a6b4a16";
  event.resources = {{"111122223333", "AWS::KMS::Key", kArn}};
  event.recipient_account_id = "111122223333";
  return event;
}

std::string with_arn(std::string text) {
  for (std::size_t at; (at = text.find("<ARN>")) != std::string::npos;) text.replace(at, 5, kArn);
  return text;
}

// The shape is that of the log entries in the AWS KMS developer guide.
TEST(ApiCallEvent, HasCloudTrailsShape) {
  EXPECT_EQ(sorted(render(encrypt())), sorted(with_arn(R"({
    "eventVersion":"1.11",
    "userIdentity":{"type":"IAMUser","principalId":"AIDAEXAMPLE",
      "arn":"arn:aws:iam::111122223333:user/Alice","accountId":"111122223333",
      "accessKeyId":"AKIAEXAMPLE","userName":"Alice"},
    "eventTime":"2025-05-20T20:46:16Z","eventSource":"kms.amazonaws.com","eventName":"Encrypt",
    "awsRegion":"us-west-2","sourceIPAddress":"192.0.2.0","userAgent":"aws-cli/2",
    "requestParameters":{"encryptionContext":{"Department":"Engineering"},"keyId":"alias/a"},
    "responseElements":null,"additionalEventData":{"keyMaterialId":"00ff"},
    "requestID":"7d59a5f5-5a12-4ba9-9f13-d6d9bb0b1b0f",
    "eventID":"f5a7fd07-6a5f-4e5c-9d13-ba6a4a6b4a16","readOnly":true,
    "resources":[{"accountId":"111122223333","type":"AWS::KMS::Key","ARN":"<ARN>"}],
    "eventType":"AwsApiCall","managementEvent":true,"recipientAccountId":"111122223333",
    "eventCategory":"Management"})")));
}

TEST(ApiCallEvent, IsOneLine) {
  ApiCallEvent event = encrypt();
  event.user_agent = "two\nlines\r";
  EXPECT_EQ(render(event).find_first_of("\r\n"), std::string::npos);
}

TEST(ApiCallEvent, TellsOfTlsOnlyWhereThereWasTls) {
  ApiCallEvent event = encrypt();
  EXPECT_EQ(render(event).find("tlsDetails"), std::string::npos);
  event.tls = {"TLSv1.3", "TLS_AES_256_GCM_SHA384", "kms.us-west-2.amazonaws.com"};
  EXPECT_NE(render(event).find(
                R"("tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_256_GCM_SHA384",)"
                R"("clientProvidedHostHeader":"kms.us-west-2.amazonaws.com"})"),
            std::string::npos);
}

TEST(ApiCallEvent, AWriteWithAnAnswerShowsBoth) {
  ApiCallEvent event = encrypt();
  event.event_name = "RotateKeyOnDemand";
  event.kind = CallKind::kWrite;
  event.response_elements = R"({"keyId":"k"})";
  const std::string text = render(event);
  EXPECT_NE(text.find(R"("readOnly":false)"), std::string::npos);
  EXPECT_NE(text.find(R"("responseElements":{"keyId":"k"})"), std::string::npos);
}

TEST(ApiCallEvent, AFailureHasCodeAndMessageAndNoAnswer) {
  ApiCallEvent event = encrypt();
  event.response_elements = R"({"keyId":"k"})";
  event.error = Error(ErrorCode::kIncorrectKey, "The key ID \"is\" wrong.", "CKR_DETAIL");
  const std::string text = render(event);
  EXPECT_NE(text.find(R"("errorCode":"IncorrectKeyException","errorMessage":)"
                      R"("The key ID \"is\" wrong.")"),
            std::string::npos);
  EXPECT_NE(text.find(R"("responseElements":null)"), std::string::npos);
  EXPECT_EQ(text.find("CKR_DETAIL"), std::string::npos) << "the detail is for the log alone";
}

TEST(ApiCallEvent, AFailureWithoutATextHasNoMessage) {
  ApiCallEvent event = encrypt();
  event.error = Error(ErrorCode::kInvalidCiphertext);
  const std::string text = render(event);
  EXPECT_NE(text.find(R"("errorCode":"InvalidCiphertextException")"), std::string::npos);
  EXPECT_EQ(text.find("errorMessage"), std::string::npos);
}

TEST(ApiCallEvent, ADenialIsSpelledAsCloudTrailSpellsIt) {
  ApiCallEvent event = encrypt();
  event.error = Error(ErrorCode::kAccessDenied, "no");
  event.request_parameters.clear();
  const std::string text = render(event);
  EXPECT_NE(text.find(R"("errorCode":"AccessDenied","errorMessage":"no")"), std::string::npos);
  EXPECT_NE(text.find(R"("requestParameters":null)"), std::string::npos);
}

TEST(ApiCallEvent, AnUnauthenticatedCallHasAnUnknownCallerAndNoMore) {
  ApiCallEvent event = encrypt();
  event.identity = UserIdentity();
  event.resources.clear();
  event.additional_event_data.clear();
  const std::string text = render(event);
  EXPECT_NE(text.find(R"("userIdentity":{"type":"Unknown"})"), std::string::npos);
  EXPECT_NE(text.find(R"("resources":[])"), std::string::npos);
  EXPECT_EQ(text.find("additionalEventData"), std::string::npos);
}

TEST(ApiCallEvent, BytesThatAreNoTextDoNotBreakTheRecord) {
  ApiCallEvent event = encrypt();
  event.user_agent = "agent \xff\xc0\x80 \"\\\x01";
  const std::string text = render(event);
  EXPECT_NE(sorted(text).find(R"("userAgent":"agent ??? \"\\\u0001")"), std::string::npos) << text;
}

TEST(ServiceEvent, ARotationHasCloudTrailsShape) {
  const Rotation rotation{RotationType::kAutomatic,
                          KeyOrigin::kAwsKms,
                          "1234abcd-12ab-34cd-56ef-1234567890ab",
                          kArn,
                          "previous",
                          "current"};
  EXPECT_EQ(sorted(render(rotate_key_event(rotation, kTime, "us-west-2", "111122223333",
                                           "a24b3967-ddad-417f-9b22-2332b918db06"))),
            sorted(with_arn(R"({
    "eventVersion":"1.11",
    "userIdentity":{"accountId":"111122223333","invokedBy":"AWS Internal"},
    "eventTime":"2025-05-20T20:46:16Z","eventSource":"kms.amazonaws.com","eventName":"RotateKey",
    "awsRegion":"us-west-2","sourceIPAddress":"AWS Internal","userAgent":"AWS Internal",
    "requestParameters":null,"responseElements":null,
    "eventID":"a24b3967-ddad-417f-9b22-2332b918db06","readOnly":false,
    "resources":[{"accountId":"111122223333","type":"AWS::KMS::Key","ARN":"<ARN>"}],
    "eventType":"AwsServiceEvent","managementEvent":true,"recipientAccountId":"111122223333",
    "serviceEventDetails":{"rotationType":"AUTOMATIC","keyOrigin":"AWS_KMS",
      "previousKeyMaterialId":"previous","currentKeyMaterialId":"current",
      "keyId":"1234abcd-12ab-34cd-56ef-1234567890ab"},
    "eventCategory":"Management"})")));
}

TEST(ServiceEvent, AnOnDemandRotationSaysSo) {
  const Rotation rotation{RotationType::kOnDemand, KeyOrigin::kAwsKms, "k", kArn, "p", "c"};
  EXPECT_NE(render(rotate_key_event(rotation, kTime, "us-west-2", "111122223333", "e"))
                .find(R"("rotationType":"ON_DEMAND")"),
            std::string::npos);
}

TEST(ServiceEvent, ADeletionNamesTheKeyAndHasNoDetails) {
  const std::string text =
      render(delete_key_event(kArn, kTime, "us-west-2", "111122223333", "event"));
  EXPECT_NE(text.find(R"("eventName":"DeleteKey")"), std::string::npos);
  EXPECT_NE(text.find(with_arn(R"("responseElements":{"keyId":"<ARN>"})")), std::string::npos);
  EXPECT_NE(
      text.find(with_arn(
          R"("resources":[{"accountId":"111122223333","type":"AWS::KMS::Key","ARN":"<ARN>"}])")),
      std::string::npos);
  EXPECT_EQ(text.find("serviceEventDetails"), std::string::npos);
}

TEST(ServiceEvent, ARotationOfTheWrappingKeyBelongsToNoAccountAndNoRegion) {
  EXPECT_EQ(sorted(render(rotate_wrapping_key_event("old", "new", kTime,
                                                    "a24b3967-ddad-417f-9b22-2332b918db06"))),
            sorted(R"({
    "eventVersion":"1.11","userIdentity":{"invokedBy":"AWS Internal"},
    "eventTime":"2025-05-20T20:46:16Z","eventSource":"kms.amazonaws.com",
    "eventName":"RotateWrappingKey","sourceIPAddress":"AWS Internal","userAgent":"AWS Internal",
    "requestParameters":null,"responseElements":null,
    "eventID":"a24b3967-ddad-417f-9b22-2332b918db06","readOnly":false,"resources":[],
    "eventType":"AwsServiceEvent","managementEvent":true,
    "serviceEventDetails":{"previousWrappingKey":"old","currentWrappingKey":"new"},
    "eventCategory":"Management"})"));
}

TEST(ServiceEvent, AChangeByAnOperatorSaysWhoAndWhat) {
  OperatorChange change;
  change.event_name = "RotateAccessKey";
  change.uid = 1000;
  change.account_id = "111122223333";
  change.principal_arn = "arn:aws:iam::111122223333:user/ann";
  change.resource_type = "AWS::IAM::User";
  change.access_key_id = "AKIANEW";
  change.previous_access_key_id = "AKIAOLD";
  EXPECT_EQ(
      sorted(render(operator_change_event(change, kTime, "a24b3967-ddad-417f-9b22-2332b918db06"))),
      sorted(R"({
    "eventVersion":"1.11","userIdentity":{"accountId":"111122223333","invokedBy":"Operator"},
    "eventTime":"2025-05-20T20:46:16Z","eventSource":"iam.amazonaws.com",
    "eventName":"RotateAccessKey","sourceIPAddress":"AWS Internal","userAgent":"AWS Internal",
    "requestParameters":null,"responseElements":null,
    "eventID":"a24b3967-ddad-417f-9b22-2332b918db06","readOnly":false,
    "resources":[{"accountId":"111122223333","type":"AWS::IAM::User",
                  "ARN":"arn:aws:iam::111122223333:user/ann"}],
    "eventType":"AwsServiceEvent","managementEvent":true,"recipientAccountId":"111122223333",
    "serviceEventDetails":{"operator":{"uid":1000},
                           "principalArn":"arn:aws:iam::111122223333:user/ann",
                           "accessKeyId":"AKIANEW","previousAccessKeyId":"AKIAOLD"},
    "eventCategory":"Management"})"));
}

TEST(ServiceEvent, AChangeOfNoPrincipalBelongsToNoAccount) {
  OperatorChange change;
  change.event_name = "ReloadPrincipals";
  const std::string line =
      render(operator_change_event(change, kTime, "a24b3967-ddad-417f-9b22-2332b918db06"));
  EXPECT_NE(line.find(R"("userIdentity":{"invokedBy":"Operator"})"), std::string::npos) << line;
  EXPECT_NE(line.find(R"("serviceEventDetails":{"operator":{"uid":0}})"), std::string::npos);
  EXPECT_NE(line.find(R"("resources":[])"), std::string::npos) << line;
}

}  // namespace
}  // namespace keyhold::audit

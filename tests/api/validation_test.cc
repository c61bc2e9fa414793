// AWS's words for requests that break the model, operation by operation (recorded and measured
// texts). The key need not exist: all of them come before it is looked up.
#include <gtest/gtest.h>

#include <algorithm>

#include "api_client.h"
#include "base/base64.h"
#include "fake_service.h"

namespace keyhold::api::test {
namespace {

class Validation : public ::testing::Test {
 protected:
  Reply call(std::string_view operation, std::string body) {
    return client_.call(operation, std::move(body));
  }
  FakeService service_;
  Client client_{service_};
};

TEST_F(Validation, OfAbsentMembers) {
  expect_invalid(call("DescribeKey", "{}"),
                 "Value null at 'keyId' failed to satisfy constraint: Member must not be null");
  expect_error(call("Encrypt", "{}"), "ValidationException",
               "2 validation errors detected: Value null at 'keyId' failed to satisfy constraint: "
               "Member must not be null; Value at 'plaintext' failed to satisfy constraint: Member "
               "must not be null");
  expect_invalid(call("Decrypt", "{}"),
                 "Value null at 'ciphertextBlob' failed to satisfy constraint: Member must not be "
                 "null");
  expect_invalid(call("ReEncrypt", R"({"DestinationKeyId":"x"})"),
                 "Value null at 'ciphertextBlob' failed to satisfy constraint: Member must not be "
                 "null");
  expect_error(call("GenerateRandom", "{}"), "ValidationException", "NumberOfBytes is required.");
}

TEST_F(Validation, OfKeyIds) {
  expect_error(call("DescribeKey", R"({"KeyId":""})"), "ValidationException",
               "2 validation errors detected: Value '' at 'keyId' failed to satisfy constraint: "
               "Member must have length greater than or equal to 1; Value '' at 'keyId' failed to "
               "satisfy constraint: Member must satisfy regular expression pattern: ^\\p{ASCII}+$");
  expect_invalid(
      call("DescribeKey", R"({"KeyId":"キー"})"),
      "Value 'キー' at 'keyId' failed to satisfy constraint: Member must satisfy regular "
      "expression pattern: ^\\p{ASCII}+$");
  const std::string endless(2049, 'k');
  expect_invalid(call("EnableKey", R"({"KeyId":")" + endless + "\"}"),
                 "Value '" + endless +
                     "' at 'keyId' failed to satisfy constraint: Member must have length less than "
                     "or equal to 2048");
}

TEST_F(Validation, OfPlaintextsAndCiphertexts) {
  expect_invalid(call("Encrypt", R"({"KeyId":"k","Plaintext":""})"),
                 "Value at 'plaintext' failed to satisfy constraint: Member must have length "
                 "greater than or equal to 1");
  expect_invalid(call("Encrypt", R"({"KeyId":"k","Plaintext":")" + to_base64(Bytes(4097)) + "\"}"),
                 "Value at 'plaintext' failed to satisfy constraint: Member must have length less "
                 "than or equal to 4096");
  expect_invalid(call("Decrypt", R"({"CiphertextBlob":""})"),
                 "Value at 'ciphertextBlob' failed to satisfy constraint: Member must have length "
                 "greater than or equal to 1");
  expect_invalid(call("Decrypt", R"({"CiphertextBlob":")" + to_base64(Bytes(6145)) + "\"}"),
                 "Value at 'ciphertextBlob' failed to satisfy constraint: Member must have length "
                 "less than or equal to 6144");
}

TEST_F(Validation, OfNumbers) {
  expect_invalid(call("GenerateRandom", R"({"NumberOfBytes":1025})"),
                 "Value '1025' at 'numberOfBytes' failed to satisfy constraint: Member must have "
                 "value less than or equal to 1024");
  expect_invalid(call("GenerateDataKey", R"({"KeyId":"k","NumberOfBytes":0})"),
                 "Value '0' at 'numberOfBytes' failed to satisfy constraint: Member must have "
                 "value greater than or equal to 1");
  expect_invalid(call("EnableKeyRotation", R"({"KeyId":"k","RotationPeriodInDays":89})"),
                 "Value '89' at 'rotationPeriodInDays' failed to satisfy constraint: Member must "
                 "have value greater than or equal to 90");
  expect_invalid(call("EnableKeyRotation", R"({"KeyId":"k","RotationPeriodInDays":2561})"),
                 "Value '2561' at 'rotationPeriodInDays' failed to satisfy constraint: Member must "
                 "have value less than or equal to 2560");
  expect_invalid(call("ScheduleKeyDeletion", R"({"KeyId":"k","PendingWindowInDays":366})"),
                 "Value '366' at 'pendingWindowInDays' failed to satisfy constraint: Member must "
                 "have value less than or equal to 365");
  expect_invalid(call("ScheduleKeyDeletion", R"({"KeyId":"k","PendingWindowInDays":0})"),
                 "Value '0' at 'pendingWindowInDays' failed to satisfy constraint: Member must "
                 "have value greater than or equal to 1");
  for (const char* operation : {"ListKeys", "ListAliases", "DescribeCustomKeyStores"}) {
    expect_invalid(call(operation, R"({"Limit":1001})"),
                   "Value '1001' at 'limit' failed to satisfy constraint: Member must have value "
                   "less than or equal to 1000");
  }
}

TEST_F(Validation, OfEncryptionAlgorithms) {
  const std::string set =
      "Member must satisfy enum value set: [RSAES_OAEP_SHA_1, RSAES_OAEP_SHA_256, SM2PKE, "
      "SYMMETRIC_DEFAULT]";
  expect_invalid(
      call("Encrypt", R"({"KeyId":"k","Plaintext":"AAAA","EncryptionAlgorithm":"ROT13"})"),
      "Value 'ROT13' at 'encryptionAlgorithm' failed to satisfy constraint: " + set);
  expect_invalid(call("ReEncrypt", R"({"CiphertextBlob":"AAAA","DestinationKeyId":"k",)"
                                   R"("DestinationEncryptionAlgorithm":"ROT13"})"),
                 "Value 'ROT13' at 'destinationEncryptionAlgorithm' failed to satisfy "
                 "constraint: " +
                     set);
}

TEST_F(Validation, PrintsKeySpecsWhereDataKeySpecsAreMeant) {
  for (const char* operation : {"GenerateDataKey", "GenerateDataKeyWithoutPlaintext"}) {
    for (const std::string spec : {"RSA_2048", "AES_512"}) {
      expect_invalid(
          call(operation, R"({"KeyId":"k","KeySpec":")" + spec + "\"}"),
          "Value '" + spec +
              "' at 'keySpec' failed to satisfy constraint: Member must satisfy enum value set: "
              "[RSA_2048, RSA_3072, RSA_4096, ECC_NIST_P256, ECC_NIST_P384, ECC_NIST_P521, "
              "ECC_SECG_P256K1, ECC_NIST_EDWARDS25519, SYMMETRIC_DEFAULT, HMAC_224, HMAC_256, "
              "HMAC_384, HMAC_512, SM2, ML_DSA_44, ML_DSA_65, ML_DSA_87]");
    }
  }
}

TEST_F(Validation, OfCreateKeysWords) {
  expect_invalid(call("CreateKey", R"({"KeySpec":"HMAC_random"})"),
                 "Value 'HMAC_random' at 'keySpec' failed to satisfy constraint: Member must "
                 "satisfy enum value set: [RSA_2048, RSA_3072, RSA_4096, ECC_NIST_P256, "
                 "ECC_NIST_P384, ECC_NIST_P521, ECC_SECG_P256K1, ECC_NIST_EDWARDS25519, "
                 "SYMMETRIC_DEFAULT, HMAC_224, HMAC_256, HMAC_384, HMAC_512, SM2, ML_DSA_44, "
                 "ML_DSA_65, ML_DSA_87]");
  expect_invalid(call("CreateKey", R"({"KeyUsage":"RANDOM"})"),
                 "Value 'RANDOM' at 'keyUsage' failed to satisfy constraint: Member must satisfy "
                 "enum value set: [ENCRYPT_DECRYPT, SIGN_VERIFY, GENERATE_VERIFY_MAC, "
                 "KEY_AGREEMENT]");
  expect_invalid(call("CreateKey",
                      R"({"Tags":[{"TagKey":")" + std::string(129, 'k') + R"(","TagValue":"v"}]})"),
                 "Value '" + std::string(129, 'k') +
                     "' at 'tags.1.member.tagKey' failed to satisfy constraint: Member must have "
                     "length less than or equal to 128");
}

TEST_F(Validation, OfCreateKeysCombinations) {
  expect_error(call("CreateKey", R"({"KeySpec":"RSA_2048","CustomerMasterKeySpec":"RSA_2048"})"),
               "ValidationException",
               "You cannot specify KeySpec and CustomerMasterKeySpec in the same request. "
               "CustomerMasterKeySpec is deprecated.");
  for (const char* member : {"KeySpec", "CustomerMasterKeySpec"}) {
    expect_error(call("CreateKey", "{\"" + std::string(member) + R"(":"HMAC_256"})"),
                 "ValidationException",
                 "You must specify a KeyUsage value for all KMS keys except for symmetric "
                 "encryption keys.");
  }
  expect_error(call("CreateKey", R"({"KeySpec":"RSA_2048","KeyUsage":"KEY_AGREEMENT"})"),
               "ValidationException",
               "KeyUsage KEY_AGREEMENT is not compatible with KeySpec RSA_2048");
  expect_error(call("CreateKey", R"({"KeyUsage":"SIGN_VERIFY"})"), "ValidationException",
               "KeyUsage SIGN_VERIFY is not compatible with KeySpec SYMMETRIC_DEFAULT");
}

struct SpecUsage {
  const char* spec;
  std::vector<std::string> usages;
};

TEST_F(Validation, KnowsWhichUsagesGoWithWhichSpec) {
  const std::vector<SpecUsage> table = {
      {"SYMMETRIC_DEFAULT", {"ENCRYPT_DECRYPT"}},
      {"RSA_2048", {"ENCRYPT_DECRYPT", "SIGN_VERIFY"}},
      {"RSA_3072", {"ENCRYPT_DECRYPT", "SIGN_VERIFY"}},
      {"RSA_4096", {"ENCRYPT_DECRYPT", "SIGN_VERIFY"}},
      {"ECC_NIST_P256", {"SIGN_VERIFY", "KEY_AGREEMENT"}},
      {"ECC_NIST_P384", {"SIGN_VERIFY", "KEY_AGREEMENT"}},
      {"ECC_NIST_P521", {"SIGN_VERIFY", "KEY_AGREEMENT"}},
      {"ECC_SECG_P256K1", {"SIGN_VERIFY"}},
      {"ECC_NIST_EDWARDS25519", {"SIGN_VERIFY"}},
      {"HMAC_224", {"GENERATE_VERIFY_MAC"}},
      {"HMAC_256", {"GENERATE_VERIFY_MAC"}},
      {"HMAC_384", {"GENERATE_VERIFY_MAC"}},
      {"HMAC_512", {"GENERATE_VERIFY_MAC"}},
      {"ML_DSA_44", {"SIGN_VERIFY"}},
      {"ML_DSA_65", {"SIGN_VERIFY"}},
      {"ML_DSA_87", {"SIGN_VERIFY"}},
      {"SM2", {"ENCRYPT_DECRYPT", "SIGN_VERIFY", "KEY_AGREEMENT"}}};
  for (const auto& row : table) {
    for (const std::string usage :
         {"ENCRYPT_DECRYPT", "SIGN_VERIFY", "GENERATE_VERIFY_MAC", "KEY_AGREEMENT"}) {
      const Reply reply = call("CreateKey", R"({"KeySpec":")" + std::string(row.spec) +
                                                R"(","KeyUsage":")" + usage + "\"}");
      const bool compatible = std::ranges::count(row.usages, usage) != 0;
      if (!compatible) {
        expect_error(reply, "ValidationException",
                     "KeyUsage " + usage + " is not compatible with KeySpec " + row.spec);
      } else {
        EXPECT_NE(reply.at("__type"), "ValidationException") << row.spec << " " << usage;
      }
    }
  }
}

TEST_F(Validation, RefusesByNameWhatIsNotBuilt) {
  const auto refuses = [&](const std::string& body, const std::string& sentence) {
    SCOPED_TRACE(body);
    expect_error(call("CreateKey", body), "UnsupportedOperationException", sentence);
  };
  refuses(R"({"MultiRegion":true})", "Multi-Region keys are not supported.");
  refuses(R"({"CustomKeyStoreId":"cks-1"})", "Custom key stores are not supported.");
  refuses(R"({"XksKeyId":"x"})", "External key stores are not supported.");
  refuses(R"({"Origin":"AWS_CLOUDHSM"})", "Origin AWS_CLOUDHSM is not supported.");
  refuses(R"({"KeySpec":"SM2","KeyUsage":"SIGN_VERIFY"})",
          "KeySpec SM2 is not supported in this Region");
  EXPECT_TRUE(service_.calls.empty());
}

TEST_F(Validation, AcceptsWhatAsksForNothing) {
  EXPECT_EQ(call("CreateKey", R"({"BypassPolicyLockoutSafetyCheck":false,"MultiRegion":false,)"
                              R"("Tags":[],"KeySpec":"SYMMETRIC_DEFAULT","Origin":"AWS_KMS",)"
                              R"("KeyUsage":"ENCRYPT_DECRYPT","Policy":null})")
                .status,
            200);
}

TEST_F(Validation, RefusesAttestedRecipientsEverywhere) {
  const std::string recipient = R"("Recipient":{"KeyEncryptionAlgorithm":"RSAES_OAEP_SHA_256"})";
  const std::string sentence = "The parameter Recipient is not supported.";
  expect_error(call("Decrypt", R"({"CiphertextBlob":"AAAA",)" + recipient + "}"),
               "UnsupportedOperationException", sentence);
  expect_error(call("GenerateDataKey", R"({"KeyId":"k",)" + recipient + "}"),
               "UnsupportedOperationException", sentence);
  expect_error(call("GenerateRandom", R"({"NumberOfBytes":1,)" + recipient + "}"),
               "UnsupportedOperationException", sentence);
  expect_invalid(call("Decrypt", R"({"CiphertextBlob":"AAAA",)"
                                 R"("Recipient":{"KeyEncryptionAlgorithm":"X"}})"),
                 "Value 'X' at 'recipient.keyEncryptionAlgorithm' failed to satisfy constraint: "
                 "Member must satisfy enum value set: [RSAES_OAEP_SHA_256]");
  expect_error(call("GenerateRandom", R"({"NumberOfBytes":1,"CustomKeyStoreId":"cks-1"})"),
               "UnsupportedOperationException", "Custom key stores are not supported.");
}

TEST_F(Validation, OfDryRunModifiers) {
  expect_invalid(call("Decrypt", R"({"CiphertextBlob":"AAAA","DryRun":true,)"
                                 R"("DryRunModifiers":["X"]})"),
                 "Value '[X]' at 'dryRunModifiers' failed to satisfy constraint: Member must "
                 "satisfy constraint: [Member must satisfy enum value set: [IGNORE_CIPHERTEXT]]");
  for (const std::string dry_run : {"", R"("DryRun":false,)"}) {
    expect_error(
        call("Decrypt", "{" + dry_run + R"("KeyId":"k","DryRunModifiers":["IGNORE_CIPHERTEXT"]})"),
        "ValidationException", "DryRunModifiers can be specified only when DryRun is true.");
  }
  expect_error(call("Decrypt", R"({"DryRun":true,"DryRunModifiers":["IGNORE_CIPHERTEXT"]})"),
               "ValidationException",
               "KeyId is required when DryRunModifiers contains IGNORE_CIPHERTEXT.");
  expect_error(call("ReEncrypt", R"({"DryRun":true,"DryRunModifiers":["IGNORE_CIPHERTEXT"],)"
                                 R"("DestinationKeyId":"k"})"),
               "ValidationException",
               "SourceKeyId is required when DryRunModifiers contains IGNORE_CIPHERTEXT.");
}

TEST_F(Validation, ShowsNoGrantToken) {
  const Reply reply = call("Encrypt", R"({"KeyId":"k","Plaintext":"AAAA","GrantTokens":[")" +
                                          std::string(8193, 't') + "\"]}");
  expect_invalid(reply,
                 "Value at 'grantTokens' failed to satisfy constraint: Member must satisfy "
                 "constraint: [Member must have length less than or equal to 8192]");
  expect_invalid(
      call("DescribeKey",
           R"({"KeyId":"k","GrantTokens":["1","2","3","4","5","6","7","8","9","a","b"]})"),
      "Value at 'grantTokens' failed to satisfy constraint: Member must have length "
      "less than or equal to 10");
}

TEST_F(Validation, OfAliasNames) {
  const std::string target = R"(","TargetKeyId":"k"})";
  for (const char* operation : {"CreateAlias", "UpdateAlias", "DeleteAlias"}) {
    SCOPED_TRACE(operation);
    expect_error(call(operation, R"({"AliasName":"example)" + target), "ValidationException",
                 "Alias must start with the prefix \"alias/\". Please see "
                 "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html");
    expect_error(call(operation, R"({"AliasName":"alias/Service:Test)" + target),
                 "ValidationException",
                 "alias/Service:Test contains invalid characters for an alias");
    expect_invalid(call(operation, R"({"AliasName":"alias/x y)" + target),
                   "Value 'alias/x y' at 'aliasName' failed to satisfy constraint: Member must "
                   "satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$");
  }
  expect_error(call("CreateAlias", R"({"AliasName":"alias/aws/s3)" + target),
               "NotAuthorizedException");
  expect_error(call("CreateAlias", R"({"AliasName":"alias/)" + target), "InvalidAliasNameException",
               "The name of an alias must not be empty.");
}

TEST_F(Validation, OfAliasTargets) {
  for (const char* operation : {"CreateAlias", "UpdateAlias"}) {
    for (const std::string alias :
         {"alias/other", "arn:aws:kms:eu-central-1:111122223333:alias/other"}) {
      expect_error(call(operation, R"({"AliasName":"alias/x","TargetKeyId":")" + alias + "\"}"),
                   "ValidationException", "Aliases must refer to keys. Not aliases");
    }
  }
}

}  // namespace
}  // namespace keyhold::api::test

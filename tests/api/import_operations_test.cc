// GetParametersForImport, ImportKeyMaterial and DeleteImportedKeyMaterial as callers see them, and
// what other operations say of keys whose material is imported.
#include <gtest/gtest.h>

#include "base/base64.h"
#include "base/random.h"
#include "service_fixture.h"
#include "tests/support/wrapped_material.h"

namespace keyhold::api {
namespace {

using namespace test;

class Imports : public ServiceTest {
 protected:
  static std::string new_external_key(const std::string& more = {}) {
    return succeed("CreateKey", R"({"Origin":"EXTERNAL")" + (more.empty() ? "" : "," + more) + "}")
        .text("KeyMetadata.KeyId");
  }

  static Bytes draw(std::size_t size = 32) {
    Bytes material(size);
    SystemRandom().fill(material);
    return material;
  }

  static Reply parameters(const std::string& key, const std::string& algorithm) {
    return succeed("GetParametersForImport",
                   with_key(key, R"("WrappingAlgorithm":")" + algorithm +
                                     R"(","WrappingKeySpec":"RSA_2048")"));
  }

  /// A request of ImportKeyMaterial under a wrapping key that was just asked for.
  static std::string importing(
      const std::string& key, ByteView material,
      const std::string& more = R"("ExpirationModel":"KEY_MATERIAL_DOES_NOT_EXPIRE")",
      const std::string& algorithm = "RSAES_OAEP_SHA_1") {
    const Reply given = parameters(key, algorithm);
    const Bytes wrapped =
        keyhold::test::wrap_material(*from_base64(given.text("PublicKey")),
                                     parse_word<WrappingAlgorithm>(algorithm).value(), material);
    return with_key(key, R"("ImportToken":")" + given.text("ImportToken") +
                             R"(","EncryptedKeyMaterial":")" + to_base64(wrapped) + "\"" +
                             (more.empty() ? "" : "," + more));
  }

  static std::string seconds_from_now(std::int64_t seconds) {
    return std::to_string(clock().now().time_since_epoch().count() / 1000 + seconds);
  }

  static Reply describe(const std::string& key) { return succeed("DescribeKey", with_key(key)); }
};

TEST_F(Imports, ANewKeyIsShownWithoutMaterial) {
  const Reply made = succeed("CreateKey", R"({"Origin":"EXTERNAL"})");
  EXPECT_EQ(made.text("KeyMetadata.Origin"), "EXTERNAL");
  EXPECT_EQ(made.text("KeyMetadata.KeyState"), "PendingImport");
  EXPECT_EQ(made.text("KeyMetadata.Enabled"), "false");
  EXPECT_EQ(made.text("KeyMetadata.EncryptionAlgorithms.0"), "SYMMETRIC_DEFAULT");
  for (const char* member : {"CurrentKeyMaterialId", "ExpirationModel", "ValidTo"}) {
    EXPECT_FALSE(made.at(std::string("KeyMetadata.") + member)) << member;
  }
  const std::string key = made.text("KeyMetadata.KeyId");
  expect_error(call("Encrypt", with_key(key, R"("Plaintext":"AAAA")")), "KMSInvalidStateException",
               arn(key) + " is pending import.");
  const std::string pair = new_external_key(R"("KeySpec":"RSA_2048","KeyUsage":"SIGN_VERIFY")");
  expect_error(call("GetPublicKey", with_key(pair)), "KMSInvalidStateException",
               arn(pair) + " is pending import.");
  EXPECT_EQ(describe(pair).text("KeyMetadata.SigningAlgorithms.0"), "RSASSA_PKCS1_V1_5_SHA_256");
}

TEST_F(Imports, AKeyWhoseMaterialCannotComeIsNotMade) {
  const Reply refused = call("CreateKey", R"({"Origin":"EXTERNAL","KeyUsage":"SIGN_VERIFY",)"
                                          R"("KeySpec":"ECC_NIST_EDWARDS25519"})");
  EXPECT_EQ(refused.error_code(), "UnsupportedOperationException") << refused.body;
}

TEST_F(Imports, ParametersAreForADay) {
  const std::string key = new_external_key();
  const Reply given = parameters(key, "RSAES_OAEP_SHA_256");
  EXPECT_EQ(given.text("KeyId"), arn(key));
  EXPECT_NE(given.body.find("\"ParametersValidTo\":" + seconds_from_now(86400)), std::string::npos)
      << given.body;
  EXPECT_EQ(given.record.request_parameters,
            R"({"keyId":")" + key +
                R"(","wrappingAlgorithm":"RSAES_OAEP_SHA_256","wrappingKeySpec":"RSA_2048"})");
  EXPECT_EQ(given.record.response_elements, "null");
}

TEST_F(Imports, AnImportIsSeenByDescribeKeyAndEndsWithADeletion) {
  const std::string key = new_external_key();
  const Bytes material = draw();
  const Reply imported = succeed("ImportKeyMaterial", importing(key, material));
  const std::string id = imported.text("KeyMaterialId");
  EXPECT_EQ(imported.text("KeyId"), arn(key));
  EXPECT_EQ(imported.record.response_elements,
            R"({"keyId":")" + arn(key) + R"(","keyMaterialId":")" + id + "\"}");
  EXPECT_EQ(imported.record.request_parameters,
            R"({"keyId":")" + key + R"(","expirationModel":"KEY_MATERIAL_DOES_NOT_EXPIRE"})");
  EXPECT_NE(imported.record.additional_event_data.find(R"("custody":"imported")"),
            std::string::npos);

  Reply shown = describe(key);
  EXPECT_EQ(shown.text("KeyMetadata.KeyState"), "Enabled");
  EXPECT_EQ(shown.text("KeyMetadata.CurrentKeyMaterialId"), id);
  EXPECT_EQ(shown.text("KeyMetadata.ExpirationModel"), "KEY_MATERIAL_DOES_NOT_EXPIRE");
  EXPECT_FALSE(shown.at("KeyMetadata.ValidTo"));
  EXPECT_NE(shown.record.additional_event_data.find(R"("custody":"imported")"), std::string::npos);
  const std::string blob = encrypted(key);

  const Reply deleted = succeed("DeleteImportedKeyMaterial", with_key(key));
  EXPECT_EQ(deleted.text("KeyId"), arn(key));
  EXPECT_EQ(deleted.text("KeyMaterialId"), id);
  shown = describe(key);
  EXPECT_EQ(shown.text("KeyMetadata.KeyState"), "PendingImport");
  EXPECT_EQ(shown.text("KeyMetadata.CurrentKeyMaterialId"), id);
  EXPECT_FALSE(shown.at("KeyMetadata.ExpirationModel"));
  expect_error(call("Decrypt", with_ciphertext(blob)), "KMSInvalidStateException",
               arn(key) + " is pending import.");

  const std::string expiring = R"("ValidTo":)" + seconds_from_now(3600);
  EXPECT_EQ(succeed("ImportKeyMaterial", importing(key, material, expiring)).text("KeyMaterialId"),
            id);
  shown = describe(key);
  EXPECT_EQ(shown.text("KeyMetadata.ExpirationModel"), "KEY_MATERIAL_EXPIRES");
  EXPECT_NE(shown.body.find("\"ValidTo\":" + seconds_from_now(3600) + ".000"), std::string::npos)
      << shown.body;
  EXPECT_EQ(succeed("Decrypt", with_ciphertext(blob)).text("Plaintext"), "YXR0YWNrIGF0IGRhd24=");
}

TEST_F(Imports, ADeletionOfNothingNamesNoMaterial) {
  const std::string key = new_external_key();
  const Reply deleted = succeed("DeleteImportedKeyMaterial", with_key(key));
  EXPECT_EQ(deleted.body, R"({"KeyId":")" + arn(key) + "\"}");
}

TEST_F(Imports, KeysOfAnotherOriginAndAliasesAreRefused) {
  const std::string key = new_key();
  succeed("CreateAlias", R"({"AliasName":"alias/of-)" + key + R"(","TargetKeyId":")" + key + "\"}");
  for (const char* name :
       {"GetParametersForImport", "ImportKeyMaterial", "DeleteImportedKeyMaterial"}) {
    const Operation& operation = *find_operation(name);
    expect_error(call(name, sample_body(operation, key)), "UnsupportedOperationException",
                 arn(key) + " origin is AWS_KMS which is not valid for this operation.");
    expect_error(call(name, sample_body(operation, "alias/of-" + key)), "InvalidArnException",
                 "Key Aliases are not supported for this operation.");
  }
}

TEST_F(Imports, AlgorithmsThatAreNotForTheMaterialAreRefusedByName) {
  const auto refuse = [](const std::string& key, const std::string& algorithm,
                         const std::string& spec, const std::string& sentence) {
    expect_error(
        call("GetParametersForImport", with_key(key, R"("WrappingAlgorithm":")" + algorithm +
                                                         R"(","WrappingKeySpec":")" + spec + "\"")),
        "UnsupportedOperationException", sentence);
  };
  const std::string key = new_external_key();
  refuse(key, "RSAES_PKCS1_V1_5", "RSA_2048",
         "WrappingAlgorithm RSAES_PKCS1_V1_5 is not supported.");
  refuse(key, "SM2PKE", "SM2", "WrappingAlgorithm SM2PKE is not supported.");
  refuse(key, "RSAES_OAEP_SHA_1", "SM2", "WrappingKeySpec SM2 is not supported.");
  const std::string rsa = new_external_key(R"("KeySpec":"RSA_2048","KeyUsage":"SIGN_VERIFY")");
  refuse(rsa, "RSAES_OAEP_SHA_256", "RSA_4096",
         "WrappingAlgorithm RSAES_OAEP_SHA_256 is not valid for this operation: RSA key material "
         "is too long for it; use an RSA_AES_KEY_WRAP algorithm.");
}

TEST_F(Imports, DatesAndModelsGoTogether) {
  const std::string key = new_external_key();
  const Bytes material = draw();
  const auto refuse = [&](const std::string& more, const std::string& text) {
    expect_error(call("ImportKeyMaterial", importing(key, material, more)), "ValidationException",
                 text);
  };
  const std::string needs_date =
      "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES";
  refuse("", needs_date);
  refuse(R"("ExpirationModel":"KEY_MATERIAL_EXPIRES")", needs_date);
  refuse(R"("ExpirationModel":"KEY_MATERIAL_DOES_NOT_EXPIRE","ValidTo":)" + seconds_from_now(9),
         "A validTo date must not be set if the ExpirationModel is KEY_MATERIAL_DOES_NOT_EXPIRE");
  refuse(R"("ValidTo":)" + seconds_from_now(-1), "The ValidTo date must be in the future");
  refuse(R"("ValidTo":)" + seconds_from_now(366 * 86400),
         "The ValidTo date must be at most 365 days from now");
  const Reply wrong = call("ImportKeyMaterial", importing(key, material, R"("ValidTo":"soon")"));
  EXPECT_EQ(wrong.error_code(), "SerializationException") << wrong.body;
  EXPECT_EQ(describe(key).text("KeyMetadata.KeyState"), "PendingImport");

  // Which key it is, and whether material is imported into it at all, is looked at before.
  const std::string body = R"("ImportToken":"AAAA","EncryptedKeyMaterial":"AAAA")";
  const Reply nowhere =
      call("ImportKeyMaterial", with_key("11111111-2222-4333-8444-555555555555", body));
  EXPECT_EQ(nowhere.error_code(), "NotFoundException") << nowhere.body;
  const Reply of_aws = call("ImportKeyMaterial", with_key(new_key(), body));
  EXPECT_EQ(of_aws.error_code(), "UnsupportedOperationException") << of_aws.body;
}

TEST_F(Imports, TokensAndMaterialsThatDoNotFitAreToldApart) {
  const std::string key = new_external_key();
  const std::string other = new_external_key();
  const Bytes material = draw();
  std::string request = importing(key, material);
  std::string misdirected = request;
  misdirected.replace(misdirected.find(key), key.size(), other);
  expect_error(call("ImportKeyMaterial", misdirected), "InvalidImportTokenException");
  const std::string body = R"("ImportToken":"AAAA","EncryptedKeyMaterial":"AAAA",)"
                           R"("ExpirationModel":"KEY_MATERIAL_DOES_NOT_EXPIRE")";
  expect_error(call("ImportKeyMaterial", with_key(key, body)), "InvalidImportTokenException");
  expect_error(call("ImportKeyMaterial", importing(key, draw(16))),
               "IncorrectKeyMaterialException");
  // Padded with another hash than was agreed on.
  const Reply given = parameters(key, "RSAES_OAEP_SHA_256");
  const Bytes wrapped = keyhold::test::wrap_material(*from_base64(given.text("PublicKey")),
                                                     WrappingAlgorithm::kRsaesOaepSha1, material);
  expect_error(call("ImportKeyMaterial",
                    with_key(key, R"("ImportToken":")" + given.text("ImportToken") +
                                      R"(","EncryptedKeyMaterial":")" + to_base64(wrapped) +
                                      R"(","ExpirationModel":"KEY_MATERIAL_DOES_NOT_EXPIRE")")),
               "InvalidCiphertextException");
  EXPECT_EQ(describe(key).text("KeyMetadata.KeyState"), "PendingImport");
  const auto before = clock().now();
  clock().advance(kDay);
  expect_error(call("ImportKeyMaterial", request), "ExpiredImportTokenException");
  clock().set(before);
  succeed("ImportKeyMaterial", request);
  expect_error(call("ImportKeyMaterial", importing(key, draw())), "IncorrectKeyMaterialException");
}

TEST_F(Imports, DisabledKeysAreImportedIntoAndThoseThatWaitForTheirDeletionAreNot) {
  const std::string key = new_external_key();
  const Bytes material = draw();
  succeed("ImportKeyMaterial", importing(key, material));
  succeed("DisableKey", with_key(key));
  const std::string request = importing(key, material);
  succeed("ImportKeyMaterial", request);
  EXPECT_EQ(describe(key).text("KeyMetadata.KeyState"), "Disabled");
  put_in_state(key, KeyState::kPendingDeletion);
  const std::string text = arn(key) + " is pending deletion.";
  expect_error(call("ImportKeyMaterial", request), "KMSInvalidStateException", text);
  const Operation& asking = *find_operation("GetParametersForImport");
  expect_error(call(asking.name, sample_body(asking, key)), "KMSInvalidStateException", text);
  succeed("DeleteImportedKeyMaterial", with_key(key));
  EXPECT_EQ(describe(key).text("KeyMetadata.KeyState"), "PendingDeletion");
  succeed("CancelKeyDeletion", with_key(key));
  EXPECT_EQ(describe(key).text("KeyMetadata.KeyState"), "PendingImport");
  for (const char* name : {"EnableKey", "DisableKey"}) {
    expect_error(call(name, with_key(key)), "KMSInvalidStateException",
                 arn(key) + " is pending import.");
  }
}

TEST_F(Imports, MembersOfSymmetricKeysAreRefusedForOthers) {
  const std::string key =
      new_external_key(R"("KeySpec":"HMAC_256","KeyUsage":"GENERATE_VERIFY_MAC")");
  for (const std::string member :
       {R"("ImportType":"NEW_KEY_MATERIAL")", R"("KeyMaterialDescription":"d")",
        R"("KeyMaterialId":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")"}) {
    const Reply refused = call(
        "ImportKeyMaterial",
        importing(key, draw(), R"("ExpirationModel":"KEY_MATERIAL_DOES_NOT_EXPIRE",)" + member));
    EXPECT_EQ(refused.error_code(), "ValidationException") << refused.body;
  }
  succeed("ImportKeyMaterial", importing(key, draw()));
  EXPECT_FALSE(describe(key).at("KeyMetadata.CurrentKeyMaterialId"));
}

TEST_F(Imports, StagedMaterialSaysSoInTheAudit) {
  const std::string key = new_external_key();
  const Reply imported =
      succeed("ImportKeyMaterial",
              importing(key, draw(), R"("ExpirationModel":"KEY_MATERIAL_DOES_NOT_EXPIRE")",
                        "RSA_AES_KEY_WRAP_SHA_256"));
  EXPECT_NE(imported.record.additional_event_data.find(R"("custody":"host-staged")"),
            std::string::npos);
  EXPECT_NE(describe(key).record.additional_event_data.find(R"("custody":"host-staged")"),
            std::string::npos);
}

TEST_F(Imports, ListKeyRotationsShowsWhatWasImported) {
  const std::string key = new_external_key();
  const std::string all = R"("IncludeKeyMaterial":"ALL_KEY_MATERIAL")";
  EXPECT_EQ(succeed("ListKeyRotations", with_key(key, all)).body,
            R"({"Rotations":[],"Truncated":false})");
  const Bytes material = draw();
  const std::string id =
      succeed("ImportKeyMaterial",
              importing(key, material,
                        R"("KeyMaterialDescription":"from the safe","ValidTo":)" +
                            seconds_from_now(3600)))
          .text("KeyMaterialId");
  EXPECT_EQ(succeed("ListKeyRotations", with_key(key, all)).body,
            R"({"Rotations":[{"ExpirationModel":"KEY_MATERIAL_EXPIRES","ImportState":"IMPORTED",)"
            R"("KeyId":")" +
                key + R"(","KeyMaterialDescription":"from the safe","KeyMaterialId":")" + id +
                R"(","KeyMaterialState":"CURRENT","ValidTo":)" + seconds_from_now(3600) +
                R"(.000}],"Truncated":false})");
  succeed("DeleteImportedKeyMaterial", with_key(key));
  EXPECT_EQ(succeed("ListKeyRotations", with_key(key, all)).body,
            R"({"Rotations":[{"ImportState":"PENDING_IMPORT","KeyId":")" + key +
                R"(","KeyMaterialDescription":"from the safe","KeyMaterialId":")" + id +
                R"(","KeyMaterialState":"CURRENT"}],"Truncated":false})");
}

TEST_F(Imports, RotationIsRefusedByOrigin) {
  const std::string key = new_external_key();
  succeed("ImportKeyMaterial", importing(key, draw()));
  const std::string text = arn(key) + " origin is EXTERNAL which is not valid for this operation.";
  for (const char* name :
       {"EnableKeyRotation", "DisableKeyRotation", "RotateKeyOnDemand", "GetKeyRotationStatus"}) {
    expect_error(call(name, with_key(key)), "UnsupportedOperationException", text);
  }
  succeed("DisableKey", with_key(key));
  expect_error(call("RotateKeyOnDemand", with_key(key)), "DisabledException",
               arn(key) + " is disabled.");
}

TEST_F(Imports, PoliciesCanAskForTheEndOfTheMaterial) {
  const std::string key = new_external_key();
  succeed("PutKeyPolicy", with_key(key, R"("BypassPolicyLockoutSafetyCheck":true,"Policy":)" +
                                            json_string(R"({"Version":"2012-10-17","Statement":[
      {"Effect":"Allow","Principal":{"AWS":"*"},"Action":"kms:*","Resource":"*"},
      {"Effect":"Deny","Principal":{"AWS":"*"},"Action":"kms:ImportKeyMaterial","Resource":"*",
       "Condition":{"DateGreaterThan":{"kms:ValidTo":"2026-01-02T00:00:00Z"}}},
      {"Effect":"Deny","Principal":{"AWS":"*"},"Action":"kms:ImportKeyMaterial","Resource":"*",
       "Condition":{"StringEquals":{"kms:ExpirationModel":"KEY_MATERIAL_DOES_NOT_EXPIRE"}}},
      {"Effect":"Deny","Principal":{"AWS":"*"},"Action":"kms:GetParametersForImport",
       "Resource":"*","Condition":{"StringEquals":{"kms:WrappingAlgorithm":"RSAES_OAEP_SHA_256"}}},
      {"Effect":"Deny","Principal":{"AWS":"*"},"Action":"kms:GetParametersForImport",
       "Resource":"*","Condition":{"StringEquals":{"kms:WrappingKeySpec":"RSA_3072"}}}]})")));
  const auto denied = [](const Reply& reply) {
    return reply.error_code() == "AccessDeniedException";
  };
  const Bytes material = draw();
  EXPECT_TRUE(denied(call("ImportKeyMaterial", importing(key, material))));
  // The clock of these tests stands at the first second of 2026.
  EXPECT_TRUE(denied(call("ImportKeyMaterial",
                          importing(key, material, R"("ValidTo":)" + seconds_from_now(90000)))));
  EXPECT_FALSE(denied(call("ImportKeyMaterial",
                           importing(key, material, R"("ValidTo":)" + seconds_from_now(80000)))));
  const auto ask = [&](const std::string& algorithm, const std::string& spec) {
    return call("GetParametersForImport",
                with_key(key, R"("WrappingAlgorithm":")" + algorithm + R"(","WrappingKeySpec":")" +
                                  spec + "\""));
  };
  EXPECT_TRUE(denied(ask("RSAES_OAEP_SHA_256", "RSA_2048")));
  EXPECT_TRUE(denied(ask("RSAES_OAEP_SHA_1", "RSA_3072")));
  EXPECT_FALSE(denied(ask("RSAES_OAEP_SHA_1", "RSA_2048")));
}

}  // namespace
}  // namespace keyhold::api

// Keys that work by themselves, on the whole service: AWS's answers and texts for GetPublicKey,
// Sign, Verify, GenerateMac, VerifyMac, DeriveSharedSecret, data key pairs and RSA encryption.
#include <gtest/gtest.h>

#include <set>

#include "base/base64.h"
#include "base/key_spec.h"
#include "service_fixture.h"
#include "token/public_key.h"

namespace keyhold::api::test {
namespace {

const std::string kMessage = "YXR0YWNrIGF0IGRhd24=";  // "attack at dawn"

class NativeKeys : public ServiceTest {
 protected:
  /// One key of each kind for the whole suite, since RSA keys take a second.
  static const std::string& key_of(const std::string& spec, const std::string& usage) {
    static std::map<std::string, std::string> keys;
    std::string& id = keys[spec + " " + usage];
    if (id.empty()) id = make(spec, usage);
    return id;
  }
  static std::string make(const std::string& spec, const std::string& usage) {
    return succeed("CreateKey", wanted(spec, usage)).text("KeyMetadata.KeyId");
  }
  static std::string wanted(const std::string& spec, const std::string& usage) {
    return R"({"KeySpec":")" + spec + R"(","KeyUsage":")" + usage + "\"}";
  }
  static std::string signing(const std::string& id, const std::string& algorithm,
                             const std::string& message = kMessage, const std::string& type = "RAW",
                             const std::string& more = {}) {
    return with_key(id, R"("Message":")" + message + R"(","MessageType":")" + type +
                            R"(","SigningAlgorithm":")" + algorithm + "\"" +
                            (more.empty() ? "" : "," + more));
  }
  static std::string member(const std::string& name, const std::string& value) {
    return "\"" + name + "\":\"" + value + "\"";
  }
  static std::string with_mac(const std::string& id, const std::string& algorithm,
                              const std::string& more = {}) {
    return with_key(id, member("Message", kMessage) + "," + member("MacAlgorithm", algorithm) +
                            (more.empty() ? "" : "," + more));
  }
  static std::string zeros(std::size_t size) { return to_base64(Bytes(size, 0)); }
};

TEST_F(NativeKeys, AreDescribedWithTheAlgorithmsOfTheirUsageAlone) {
  const std::string rsa = key_of("RSA_2048", "SIGN_VERIFY");
  const Reply described = succeed("DescribeKey", with_key(rsa));
  EXPECT_EQ(described.text("KeyMetadata.KeySpec"), "RSA_2048");
  EXPECT_EQ(described.text("KeyMetadata.CustomerMasterKeySpec"), "RSA_2048");
  EXPECT_EQ(described.text("KeyMetadata.KeyUsage"), "SIGN_VERIFY");
  EXPECT_EQ(described.text("KeyMetadata.SigningAlgorithms.0"), "RSASSA_PKCS1_V1_5_SHA_256");
  EXPECT_EQ(described.text("KeyMetadata.SigningAlgorithms.5"), "RSASSA_PSS_SHA_512");
  for (const char* absent :
       {"KeyMetadata.EncryptionAlgorithms", "KeyMetadata.MacAlgorithms",
        "KeyMetadata.KeyAgreementAlgorithms", "KeyMetadata.CurrentKeyMaterialId"}) {
    EXPECT_FALSE(described.at(absent)) << absent;
  }
  EXPECT_EQ(succeed("DescribeKey", with_key(key_of("HMAC_384", "GENERATE_VERIFY_MAC")))
                .text("KeyMetadata.MacAlgorithms.0"),
            "HMAC_SHA_384");
  EXPECT_EQ(succeed("DescribeKey", with_key(key_of("ECC_NIST_P384", "KEY_AGREEMENT")))
                .text("KeyMetadata.KeyAgreementAlgorithms.0"),
            "ECDH");
  EXPECT_EQ(succeed("DescribeKey", with_key(key_of("RSA_2048", "ENCRYPT_DECRYPT")))
                .text("KeyMetadata.EncryptionAlgorithms.1"),
            "RSAES_OAEP_SHA_256");
}

TEST_F(NativeKeys, ShowOnlyAlgorithmsThatTheTokenHas) {
  const std::string id = key_of("ECC_NIST_EDWARDS25519", "SIGN_VERIFY");
  const Reply described = succeed("DescribeKey", with_key(id));
  EXPECT_EQ(described.text("KeyMetadata.SigningAlgorithms.0"), "ED25519_SHA_512");
  EXPECT_EQ(described.body.find("ED25519_PH_SHA_512"), std::string::npos);
  expect_error(call("Sign", signing(id, "ED25519_PH_SHA_512", zeros(64), "DIGEST")),
               "UnsupportedOperationException",
               "Algorithm ED25519_PH_SHA_512 is not supported: the token has no CKM_EDDSA with "
               "phFlag (Ed25519ph).");
}

TEST_F(NativeKeys, OfKindsThatTheTokenLacksAreRefusedBySentence) {
  expect_error(call("CreateKey", wanted("ML_DSA_65", "SIGN_VERIFY")),
               "UnsupportedOperationException",
               "KeySpec ML_DSA_65 is not supported: the token has no CKM_ML_DSA_KEY_PAIR_GEN.");
  expect_error(call("CreateKey", wanted("SM2", "SIGN_VERIFY")), "UnsupportedOperationException",
               "KeySpec SM2 is not supported in this Region");
}

TEST_F(NativeKeys, ShowTheirPublicHalfInAnyStateButPendingDeletion) {
  const std::string id = make("ECC_NIST_P256", "SIGN_VERIFY");
  const Reply shown = succeed("GetPublicKey", with_key(id));
  EXPECT_EQ(shown.text("KeyId"), arn(id));
  EXPECT_EQ(shown.text("KeySpec"), "ECC_NIST_P256");
  EXPECT_EQ(shown.text("CustomerMasterKeySpec"), "ECC_NIST_P256");
  EXPECT_EQ(shown.text("KeyUsage"), "SIGN_VERIFY");
  EXPECT_EQ(shown.text("SigningAlgorithms.0"), "ECDSA_SHA_256");
  EXPECT_EQ(from_base64(shown.text("PublicKey"))->size(), 91U);
  put_in_state(id, KeyState::kDisabled);
  EXPECT_EQ(succeed("GetPublicKey", with_key(id)).body, shown.body);
  put_in_state(id, KeyState::kPendingDeletion);
  expect_error(call("GetPublicKey", with_key(id)), "KMSInvalidStateException",
               arn(id) + " is pending deletion.");
}

TEST_F(NativeKeys, WithoutAPublicHalfShowNone) {
  expect_error(call("GetPublicKey", with_key(new_key())), "UnsupportedOperationException");
  expect_error(call("GetPublicKey", with_key(key_of("HMAC_256", "GENERATE_VERIFY_MAC"))),
               "UnsupportedOperationException");
}

TEST_F(NativeKeys, SignWhatTheirPublicHalfVerifies) {
  for (const auto& [spec, algorithm] : {std::pair{"RSA_2048", "RSASSA_PSS_SHA_384"},
                                        {"RSA_2048", "RSASSA_PKCS1_V1_5_SHA_512"},
                                        {"ECC_NIST_P521", "ECDSA_SHA_512"},
                                        {"ECC_SECG_P256K1", "ECDSA_SHA_256"},
                                        {"ECC_NIST_EDWARDS25519", "ED25519_SHA_512"}}) {
    SCOPED_TRACE(algorithm);
    const std::string id = key_of(spec, "SIGN_VERIFY");
    const Reply made = succeed("Sign", signing(id, algorithm));
    EXPECT_EQ(made.text("KeyId"), arn(id));
    EXPECT_EQ(made.text("SigningAlgorithm"), algorithm);
    const Bytes signature = *from_base64(made.text("Signature"));
    const token::PublicKey key(
        *from_base64(succeed("GetPublicKey", with_key(id)).text("PublicKey")));
    const AlgorithmRow& row = row_of(parse_word<Algorithm>(algorithm).value());
    EXPECT_EQ(key.verify(row, {MessageType::kRaw, as_bytes("attack at dawn")}, signature),
              token::PublicKey::Verdict::kValid);
    EXPECT_EQ(succeed("Verify", signing(id, algorithm, kMessage, "RAW",
                                        member("Signature", made.text("Signature"))))
                  .body,
              R"({"KeyId":")" + arn(id) + R"(","SignatureValid":true,"SigningAlgorithm":")" +
                  algorithm + "\"}");
  }
}

TEST_F(NativeKeys, RefuseWhatIsNoSignatureWithoutAWord) {
  for (const auto& [spec, algorithm] : {std::pair{"RSA_2048", "RSASSA_PSS_SHA_256"},
                                        {"ECC_NIST_P256", "ECDSA_SHA_256"},
                                        {"ECC_NIST_EDWARDS25519", "ED25519_SHA_512"}}) {
    const std::string id = key_of(spec, "SIGN_VERIFY");
    for (const std::string& signature : {zeros(1), zeros(64), zeros(256), zeros(6144)}) {
      expect_error(
          call("Verify", signing(id, algorithm, kMessage, "RAW", member("Signature", signature))),
          "KMSInvalidSignatureException");
    }
  }
}

TEST_F(NativeKeys, HoldMessagesAgainstTheirTypeAndLength) {
  const std::string p256 = key_of("ECC_NIST_P256", "SIGN_VERIFY");
  for (const std::size_t size : {1, 31, 33, 64}) {
    expect_error(call("Sign", signing(p256, "ECDSA_SHA_256", zeros(size), "DIGEST")),
                 "ValidationException", "Digest is invalid length for algorithm ECDSA_SHA_256.");
    expect_error(call("Verify", signing(p256, "ECDSA_SHA_256", zeros(size), "DIGEST",
                                        member("Signature", zeros(70)))),
                 "ValidationException", "Digest is invalid length for algorithm ECDSA_SHA_256.");
  }
  succeed("Sign", signing(p256, "ECDSA_SHA_256", zeros(32), "DIGEST"));
  expect_error(call("Sign", signing(p256, "ECDSA_SHA_256", zeros(64), "EXTERNAL_MU")),
               "ValidationException",
               "Message type EXTERNAL_MU is incompatible with algorithm ECDSA_SHA_256.");
  expect_error(call("Sign", signing(key_of("ECC_NIST_EDWARDS25519", "SIGN_VERIFY"),
                                    "ED25519_SHA_512", zeros(64), "DIGEST")),
               "ValidationException",
               "Message type DIGEST is incompatible with algorithm ED25519_SHA_512.");
  expect_invalid(call("Sign", signing(p256, "ECDSA_SHA_256", zeros(4097))),
                 "Value at 'message' failed to satisfy constraint: Member must have length less "
                 "than or equal to 4096");
}

TEST_F(NativeKeys, AuthenticateAndCompareMacs) {
  for (const auto& [spec, algorithm, size] : {std::tuple{"HMAC_224", "HMAC_SHA_224", 28U},
                                              {"HMAC_256", "HMAC_SHA_256", 32U},
                                              {"HMAC_384", "HMAC_SHA_384", 48U},
                                              {"HMAC_512", "HMAC_SHA_512", 64U}}) {
    SCOPED_TRACE(algorithm);
    const std::string id = key_of(spec, "GENERATE_VERIFY_MAC");
    const Reply made = succeed("GenerateMac", with_mac(id, algorithm));
    Bytes mac = *from_base64(made.text("Mac"));
    EXPECT_EQ(mac.size(), size);
    EXPECT_EQ(made.body, R"({"KeyId":")" + arn(id) + R"(","Mac":")" + to_base64(mac) +
                             R"(","MacAlgorithm":")" + algorithm + "\"}");
    EXPECT_EQ(succeed("GenerateMac", with_mac(id, algorithm)).body, made.body);
    EXPECT_EQ(
        succeed("VerifyMac", with_mac(id, algorithm, member("Mac", to_base64(mac)))).body,
        R"({"KeyId":")" + arn(id) + R"(","MacAlgorithm":")" + algorithm + R"(","MacValid":true})");
    for (const std::string& wrong : {zeros(size), zeros(1), zeros(6144),
                                     made.text("Mac") == "" ? zeros(1) : zeros(size - 1)}) {
      expect_error(call("VerifyMac", with_mac(id, algorithm, member("Mac", wrong))),
                   "KMSInvalidMacException");
    }
    mac.back() ^= 1;
    expect_error(call("VerifyMac", with_mac(id, algorithm, member("Mac", to_base64(mac)))),
                 "KMSInvalidMacException");
  }
  expect_error(
      call("GenerateMac", with_mac(key_of("HMAC_224", "GENERATE_VERIFY_MAC"), "HMAC_SHA_256")),
      "InvalidKeyUsageException", "Algorithm HMAC_SHA_256 is incompatible with key spec HMAC_224.");
  expect_invalid(call("GenerateMac", with_mac("k", "INVALID")),
                 "Value 'INVALID' at 'macAlgorithm' failed to satisfy constraint: Member must "
                 "satisfy enum value set: [HMAC_SHA_384, HMAC_SHA_256, HMAC_SHA_224, "
                 "HMAC_SHA_512]");
}

TEST_F(NativeKeys, AreUsedForTheirUsageAlone) {
  const auto refused = [&](const std::string& operation, const std::string& body,
                           const std::string& id, const std::string& usage) {
    expect_error(call(operation, body), "InvalidKeyUsageException",
                 arn(id) + " key usage is " + usage + " which is not valid for " + operation + ".");
  };
  const std::string signs = key_of("RSA_2048", "SIGN_VERIFY");
  const std::string encrypts = key_of("RSA_2048", "ENCRYPT_DECRYPT");
  const std::string agrees = key_of("ECC_NIST_P256", "KEY_AGREEMENT");
  refused("Encrypt", with_key(signs, member("Plaintext", "AAAA")), signs, "SIGN_VERIFY");
  refused("Sign", signing(encrypts, "RSASSA_PSS_SHA_256"), encrypts, "ENCRYPT_DECRYPT");
  refused("Sign", signing(agrees, "ECDSA_SHA_256"), agrees, "KEY_AGREEMENT");
  refused("GenerateMac", with_mac(signs, "HMAC_SHA_256"), signs, "SIGN_VERIFY");
  refused(
      "DeriveSharedSecret",
      with_key(signs, member("KeyAgreementAlgorithm", "ECDH") + "," + member("PublicKey", "AAAA")),
      signs, "SIGN_VERIFY");
  refused("GenerateDataKey", with_key(signs, member("KeySpec", "AES_256")), signs, "SIGN_VERIFY");
  // Usage is told before state, and state before algorithm.
  const std::string disabled = make("HMAC_256", "GENERATE_VERIFY_MAC");
  put_in_state(disabled, KeyState::kDisabled);
  refused("Sign", signing(disabled, "ECDSA_SHA_256"), disabled, "GENERATE_VERIFY_MAC");
  expect_error(call("GenerateMac", with_mac(disabled, "HMAC_SHA_512")), "DisabledException",
               arn(disabled) + " is disabled.");
  // Algorithm before the digest's length.
  expect_error(call("Sign", signing(signs, "ECDSA_SHA_256", zeros(5), "DIGEST")),
               "InvalidKeyUsageException",
               "Algorithm ECDSA_SHA_256 is incompatible with key spec RSA_2048.");
}

TEST_F(NativeKeys, MakeNoDataKeys) {
  const std::string text = "You cannot generate a data key with an asymmetric CMK";
  const std::string rsa = key_of("RSA_2048", "ENCRYPT_DECRYPT");
  for (const char* operation : {"GenerateDataKey", "GenerateDataKeyWithoutPlaintext"}) {
    expect_error(call(operation, with_key(rsa, member("KeySpec", "AES_256"))),
                 "InvalidKeyUsageException", text);
  }
  for (const char* operation : {"GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext"}) {
    expect_error(call(operation, with_key(rsa, member("KeyPairSpec", "RSA_2048"))),
                 "InvalidKeyUsageException", text);
  }
}

TEST_F(NativeKeys, EncryptAndDecryptRsaBlocks) {
  const std::string id = key_of("RSA_2048", "ENCRYPT_DECRYPT");
  for (const std::string algorithm : {"RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"}) {
    SCOPED_TRACE(algorithm);
    const std::string by = member("EncryptionAlgorithm", algorithm);
    const Reply sealed = succeed("Encrypt", with_key(id, member("Plaintext", kMessage) + "," + by));
    const std::string blob = sealed.text("CiphertextBlob");
    EXPECT_EQ(from_base64(blob)->size(), 256U);
    EXPECT_EQ(sealed.text("EncryptionAlgorithm"), algorithm);
    EXPECT_EQ(succeed("Decrypt", with_ciphertext(blob, member("KeyId", id) + "," + by)).body,
              R"({"EncryptionAlgorithm":")" + algorithm + R"(","KeyId":")" + arn(id) +
                  R"(","Plaintext":")" + kMessage + "\"}");
    // Without the algorithm it is taken for a ciphertext of ours, which it is not.
    expect_error(call("Decrypt", with_ciphertext(blob, member("KeyId", id))),
                 "InvalidCiphertextException");
    expect_error(call("Decrypt", with_ciphertext(blob, by)), "ValidationException",
                 "KeyId is required with EncryptionAlgorithm " + algorithm + ".");
    expect_error(
        call("ReEncrypt", with_ciphertext(blob, member("SourceEncryptionAlgorithm", algorithm) +
                                                    "," + member("DestinationKeyId", id))),
        "ValidationException",
        "SourceKeyId is required with SourceEncryptionAlgorithm " + algorithm + ".");
    expect_error(call("Decrypt", with_ciphertext(zeros(256), member("KeyId", id) + "," + by)),
                 "InvalidCiphertextException");
    expect_error(call("Decrypt", with_ciphertext("AAAA", member("KeyId", id) + "," + by)),
                 "InvalidCiphertextException");
    expect_error(call("Encrypt", with_key(id, member("Plaintext", kMessage) + "," + by +
                                                  R"(,"EncryptionContext":{"a":"b"})")),
                 "ValidationException",
                 "Encryption context is not supported with algorithm " + algorithm + ".");
  }
  expect_error(call("Encrypt", with_key(id, member("Plaintext", kMessage))),
               "InvalidKeyUsageException",
               "Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048.");
  expect_error(call("Encrypt", with_key(id, member("Plaintext", zeros(215)) + "," +
                                                member("EncryptionAlgorithm", "RSAES_OAEP_SHA_1"))),
               "ValidationException",
               "Algorithm RSAES_OAEP_SHA_1 and key spec RSA_2048 cannot encrypt data larger than "
               "214 bytes.");
}

TEST_F(NativeKeys, ReEncryptBetweenSymmetricKeysAndRsa) {
  const std::string rsa = key_of("RSA_2048", "ENCRYPT_DECRYPT");
  const std::string symmetric = new_key();
  const Reply out =
      succeed("ReEncrypt",
              with_ciphertext(encrypted(symmetric),
                              member("DestinationKeyId", rsa) + "," +
                                  member("DestinationEncryptionAlgorithm", "RSAES_OAEP_SHA_256")));
  EXPECT_TRUE(out.at("SourceKeyMaterialId"));
  EXPECT_FALSE(out.at("DestinationKeyMaterialId"));
  const Reply back = succeed(
      "ReEncrypt", with_ciphertext(out.text("CiphertextBlob"),
                                   member("SourceKeyId", rsa) + "," +
                                       member("SourceEncryptionAlgorithm", "RSAES_OAEP_SHA_256") +
                                       "," + member("DestinationKeyId", symmetric)));
  EXPECT_FALSE(back.at("SourceKeyMaterialId"));
  EXPECT_TRUE(back.at("DestinationKeyMaterialId"));
  EXPECT_EQ(succeed("Decrypt", with_ciphertext(back.text("CiphertextBlob"))).text("Plaintext"),
            kMessage);
  // What a symmetric key holds may be more than RSA's padding does.
  const std::string large = succeed("Encrypt", with_key(symmetric, member("Plaintext", zeros(191))))
                                .text("CiphertextBlob");
  expect_error(
      call("ReEncrypt", with_ciphertext(large, member("DestinationKeyId", rsa) + "," +
                                                   member("DestinationEncryptionAlgorithm",
                                                          "RSAES_OAEP_SHA_256"))),
      "ValidationException",
      "Algorithm RSAES_OAEP_SHA_256 and key spec RSA_2048 cannot encrypt data larger than 190 "
      "bytes.");
}

TEST_F(NativeKeys, AgreeOnOneSecretFromBothSides) {
  const auto secret = [&](const std::string& id, const std::string& peer) {
    return call("DeriveSharedSecret", with_key(id, member("KeyAgreementAlgorithm", "ECDH") + "," +
                                                       member("PublicKey", peer)));
  };
  const auto public_of = [&](const std::string& id) {
    return succeed("GetPublicKey", with_key(id)).text("PublicKey");
  };
  const std::string a = key_of("ECC_NIST_P256", "KEY_AGREEMENT");
  const std::string b = make("ECC_NIST_P256", "KEY_AGREEMENT");
  const Reply one = secret(a, public_of(b));
  const Reply two = secret(b, public_of(a));
  EXPECT_EQ(one.text("SharedSecret"), two.text("SharedSecret"));
  EXPECT_EQ(from_base64(one.text("SharedSecret"))->size(), 32U);
  EXPECT_EQ(one.text("KeyOrigin"), "AWS_KMS");
  EXPECT_EQ(one.text("KeyAgreementAlgorithm"), "ECDH");
  EXPECT_EQ(one.text("KeyId"), arn(a));
  // Recorded: no message.
  expect_error(secret(a, to_base64(as_bytes("InvalidPublicKey"))), "ValidationException");
  expect_error(secret(a, public_of(key_of("ECC_NIST_P384", "KEY_AGREEMENT"))),
               "ValidationException");
  expect_error(secret(a, public_of(key_of("RSA_2048", "SIGN_VERIFY"))), "ValidationException");
}

TEST_F(NativeKeys, DataKeyPairsDecryptToThePrivateKeyThatWasAnswered) {
  const std::string parent = new_key();
  const std::string context = R"("EncryptionContext":{"a":"b"})";
  for (const std::string spec :
       {"RSA_2048", "ECC_NIST_P256", "ECC_SECG_P256K1", "ECC_NIST_EDWARDS25519"}) {
    SCOPED_TRACE(spec);
    const std::string body = with_key(parent, member("KeyPairSpec", spec) + "," + context);
    const Reply made = succeed("GenerateDataKeyPair", body);
    EXPECT_EQ(made.text("KeyPairSpec"), spec);
    EXPECT_EQ(made.text("KeyId"), arn(parent));
    EXPECT_EQ(made.text("KeyMaterialId").size(), 64U);
    EXPECT_EQ(succeed("Decrypt", with_ciphertext(made.text("PrivateKeyCiphertextBlob"), context))
                  .text("Plaintext"),
              made.text("PrivateKeyPlaintext"));
    const Reply quiet = succeed("GenerateDataKeyPairWithoutPlaintext", body);
    EXPECT_FALSE(quiet.at("PrivateKeyPlaintext"));
    EXPECT_TRUE(quiet.at("PublicKey"));
    EXPECT_NE(quiet.text("PublicKey"), made.text("PublicKey"));
  }
  expect_error(call("GenerateDataKeyPair", with_key(parent, member("KeyPairSpec", "SM2"))),
               "UnsupportedOperationException",
               "KeySpec SM2 is not supported: PKCS#11 has no mechanism for it.");
}

TEST_F(NativeKeys, AreNeverRotated) {
  for (const std::string& id :
       {key_of("RSA_2048", "SIGN_VERIFY"), key_of("HMAC_256", "GENERATE_VERIFY_MAC")}) {
    expect_error(call("EnableKeyRotation", with_key(id)), "UnsupportedOperationException");
    expect_error(call("RotateKeyOnDemand", with_key(id)), "UnsupportedOperationException");
    expect_error(call("ListKeyRotations", with_key(id)), "UnsupportedOperationException");
    succeed("DisableKeyRotation", with_key(id));
    EXPECT_EQ(succeed("GetKeyRotationStatus", with_key(id)).text("KeyRotationEnabled"), "false");
  }
  // The state is told before.
  const std::string id = make("HMAC_256", "GENERATE_VERIFY_MAC");
  put_in_state(id, KeyState::kDisabled);
  expect_error(call("RotateKeyOnDemand", with_key(id)), "DisabledException",
               arn(id) + " is disabled.");
}

TEST_F(NativeKeys, DryRunsTellWhatTheCallWould) {
  const auto dry = [](std::string body) {
    body.insert(body.size() - 1, R"(,"DryRun":true)");
    return body;
  };
  const std::string text = "The request would have succeeded, but the DryRun option is set.";
  const std::string p256 = key_of("ECC_NIST_P256", "SIGN_VERIFY");
  const std::string parent = new_key();
  expect_error(call("Sign", dry(signing(p256, "ECDSA_SHA_256"))), "DryRunOperationException", text);
  expect_error(call("Sign", dry(signing(p256, "ECDSA_SHA_256", zeros(5), "DIGEST"))),
               "ValidationException", "Digest is invalid length for algorithm ECDSA_SHA_256.");
  expect_error(call("Verify", dry(signing(p256, "ECDSA_SHA_256", kMessage, "RAW",
                                          member("Signature", zeros(70))))),
               "DryRunOperationException", text);
  expect_error(
      call("GenerateMac", dry(with_mac(key_of("HMAC_256", "GENERATE_VERIFY_MAC"), "HMAC_SHA_256"))),
      "DryRunOperationException", text);
  expect_error(
      call("GenerateDataKeyPair", dry(with_key(parent, member("KeyPairSpec", "ECC_NIST_P256")))),
      "DryRunOperationException", text);
  const std::string agrees = key_of("ECC_NIST_P256", "KEY_AGREEMENT");
  expect_error(
      call("DeriveSharedSecret", dry(with_key(agrees, member("KeyAgreementAlgorithm", "ECDH") +
                                                          "," + member("PublicKey", "AAAA")))),
      "ValidationException");
}

TEST_F(NativeKeys, ThatAreHostStagedAreCalledSoInTheAuditEventOfDescribeKey) {
  const auto event = [&](const std::string& id) {
    return succeed("DescribeKey", with_key(id)).record.additional_event_data;
  };
  EXPECT_NE(event(key_of("RSA_2048", "ENCRYPT_DECRYPT")).find(R"("custody":"host-staged")"),
            std::string::npos);
  EXPECT_EQ(event(key_of("RSA_2048", "SIGN_VERIFY")).find("custody"), std::string::npos);
}

TEST_F(NativeKeys, NeverShowWhatIsSecretInTheAuditEvent) {
  const std::string id = key_of("ECC_NIST_P256", "SIGN_VERIFY");
  const Reply made = succeed("Sign", signing(id, "ECDSA_SHA_256"));
  EXPECT_EQ(made.record.request_parameters,
            R"({"keyId":")" + id + R"(","messageType":"RAW","signingAlgorithm":"ECDSA_SHA_256"})");
  EXPECT_EQ(made.record.response_elements, "null");
}

}  // namespace
}  // namespace keyhold::api::test

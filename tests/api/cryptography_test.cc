// Encrypt, Decrypt, ReEncrypt, data keys and random bytes, on the whole service.
#include <gtest/gtest.h>

#include "base/base64.h"
#include "service_fixture.h"

namespace keyhold::api::test {
namespace {

constexpr std::string_view kPlaintext = "YXR0YWNrIGF0IGRhd24=";  // as ServiceTest encrypts

using Cryptography = ServiceTest;

TEST_F(Cryptography, DecryptsWhatWasEncrypted) {
  const std::string id = new_key();
  const Reply sealed =
      succeed("Encrypt", with_key(id, R"("Plaintext":")" + std::string(kPlaintext) + "\""));
  const std::string blob = sealed.text("CiphertextBlob");
  EXPECT_EQ(sealed.body, R"({"CiphertextBlob":")" + blob +
                             R"(","EncryptionAlgorithm":"SYMMETRIC_DEFAULT","KeyId":")" + arn(id) +
                             "\"}");
  const std::string material =
      succeed("DescribeKey", with_key(id)).text("KeyMetadata.CurrentKeyMaterialId");
  const std::string opened = R"({"EncryptionAlgorithm":"SYMMETRIC_DEFAULT","KeyId":")" + arn(id) +
                             R"(","KeyMaterialId":")" + material + R"(","Plaintext":")" +
                             std::string(kPlaintext) + "\"}";
  EXPECT_EQ(succeed("Decrypt", with_ciphertext(blob)).body, opened);
  EXPECT_EQ(succeed("Decrypt", with_ciphertext(blob, R"("KeyId":")" + id + "\"")).body, opened);
  EXPECT_EQ(succeed("Decrypt", with_ciphertext(blob, R"("KeyId":")" + arn(id) + "\"")).body,
            opened);
}

TEST_F(Cryptography, TakesPlaintextsUpTo4096Bytes) {
  const std::string id = new_key();
  const std::string plaintext = to_base64(Bytes(4096, 7));
  const std::string blob = succeed("Encrypt", with_key(id, R"("Plaintext":")" + plaintext + "\""))
                               .text("CiphertextBlob");
  EXPECT_LE(from_base64(blob)->size(), 6144U);
  EXPECT_EQ(succeed("Decrypt", with_ciphertext(blob)).text("Plaintext"), plaintext);
}

TEST_F(Cryptography, BindsTheEncryptionContextButNotItsOrder) {
  const std::string id = new_key();
  const std::string blob = encrypted(id, R"("EncryptionContext":{"a":"1","b":"2"})");
  succeed("Decrypt", with_ciphertext(blob, R"("EncryptionContext":{"b":"2","a":"1"})"));
  for (const char* context :
       {R"("EncryptionContext":{})", R"("EncryptionContext":{"a":"1"})",
        R"("EncryptionContext":{"a":"1","b":"2","c":"3"})",
        R"("EncryptionContext":{"A":"1","b":"2"})", R"("EncryptionContext":{"a":"2","b":"1"})"}) {
    SCOPED_TRACE(context);
    expect_error(call("Decrypt", with_ciphertext(blob, context)), "InvalidCiphertextException");
  }
  expect_error(call("Decrypt", with_ciphertext(blob)), "InvalidCiphertextException");
}

TEST_F(Cryptography, TakesAnAbsentContextForAnEmptyOne) {
  const std::string id = new_key();
  succeed("Decrypt", with_ciphertext(encrypted(id), R"("EncryptionContext":{})"));
  succeed("Decrypt", with_ciphertext(encrypted(id, R"("EncryptionContext":{})")));
}

TEST_F(Cryptography, RefusesCiphertextsThatAreNone) {
  const std::string id = new_key();
  const Bytes blob = *from_base64(encrypted(id));
  std::vector<Bytes> bad = {{1, 2, 3}, Bytes(184, 1), Bytes(blob.begin(), blob.end() - 1)};
  for (const std::size_t at : {std::size_t{0}, std::size_t{2}, std::size_t{3}, blob.size() - 1}) {
    bad.push_back(blob);
    bad.back()[at] ^= 0x40;
  }
  for (const Bytes& bytes : bad) {
    expect_error(call("Decrypt", with_ciphertext(to_base64(bytes))), "InvalidCiphertextException");
    expect_error(call("Decrypt", with_ciphertext(to_base64(bytes), R"("KeyId":")" + id + "\"")),
                 "InvalidCiphertextException");
    expect_error(
        call("ReEncrypt", with_ciphertext(to_base64(bytes), R"("DestinationKeyId":")" + id + "\"")),
        "InvalidCiphertextException");
  }
}

TEST_F(Cryptography, RefusesACiphertextOfAnotherKey) {
  const std::string id = new_key();
  const std::string other = new_key();
  const std::string text =
      "The key ID in the request does not identify a CMK that can perform this operation.";
  expect_error(call("Decrypt", with_ciphertext(encrypted(id), R"("KeyId":")" + other + "\"")),
               "IncorrectKeyException", text);
  expect_error(call("ReEncrypt",
                    with_ciphertext(encrypted(id), R"("SourceKeyId":")" + other +
                                                       R"(","DestinationKeyId":")" + other + "\"")),
               "IncorrectKeyException", text);
  // Which key the ciphertext is of is told before the named key's state is.
  put_in_state(other, KeyState::kDisabled);
  expect_error(call("Decrypt", with_ciphertext(encrypted(id), R"("KeyId":")" + other + "\"")),
               "IncorrectKeyException", text);
}

TEST_F(Cryptography, FollowsTheCiphertextAndNotTheAlias) {
  const std::string id = new_key();
  const std::string other = new_key();
  succeed("CreateAlias", R"({"AliasName":"alias/moves","TargetKeyId":")" + id + "\"}");
  const std::string blob = encrypted("alias/moves");
  succeed("UpdateAlias", R"({"AliasName":"alias/moves","TargetKeyId":")" + other + "\"}");
  EXPECT_EQ(succeed("Decrypt", with_ciphertext(blob)).text("KeyId"), arn(id));
  expect_error(call("Decrypt", with_ciphertext(blob, R"("KeyId":"alias/moves")")),
               "IncorrectKeyException",
               "The key ID in the request does not identify a CMK that can perform this "
               "operation.");
}

TEST_F(Cryptography, RefusesAlgorithmsOfOtherKeys) {
  const std::string id = new_key();
  const std::string blob = encrypted(id);
  const std::string text =
      "Algorithm RSAES_OAEP_SHA_256 is incompatible with key spec SYMMETRIC_DEFAULT.";
  const std::string algorithm = R"(EncryptionAlgorithm":"RSAES_OAEP_SHA_256")";
  expect_error(call("Encrypt", with_key(id, R"("Plaintext":"AAAA",")" + algorithm)),
               "InvalidKeyUsageException", text);
  expect_error(call("Decrypt", with_ciphertext(blob, "\"" + algorithm)), "InvalidKeyUsageException",
               text);
  const std::string destination = R"("DestinationKeyId":")" + id + "\"";
  expect_error(call("ReEncrypt", with_ciphertext(blob, destination + ",\"Source" + algorithm)),
               "InvalidKeyUsageException", text);
  expect_error(call("ReEncrypt", with_ciphertext(blob, destination + ",\"Destination" + algorithm)),
               "InvalidKeyUsageException", text);
}

TEST_F(Cryptography, ReEncryptsUnderAnotherKeyAndContext) {
  const std::string source = new_key();
  const std::string destination = new_key();
  const Reply moved =
      succeed("ReEncrypt",
              with_ciphertext(encrypted(source, R"("EncryptionContext":{"a":"1"})"),
                              R"("SourceEncryptionContext":{"a":"1"},"DestinationKeyId":")" +
                                  destination + R"(","DestinationEncryptionContext":{"b":"2"})"));
  const std::string blob = moved.text("CiphertextBlob");
  const auto material = [](const std::string& id) {
    return succeed("DescribeKey", with_key(id)).text("KeyMetadata.CurrentKeyMaterialId");
  };
  EXPECT_EQ(moved.body, R"({"CiphertextBlob":")" + blob +
                            R"(","DestinationEncryptionAlgorithm":"SYMMETRIC_DEFAULT",)"
                            R"("DestinationKeyMaterialId":")" +
                            material(destination) + R"(","KeyId":")" + arn(destination) +
                            R"(","SourceEncryptionAlgorithm":"SYMMETRIC_DEFAULT","SourceKeyId":")" +
                            arn(source) + R"(","SourceKeyMaterialId":")" + material(source) +
                            "\"}");
  const Reply opened =
      succeed("Decrypt", with_ciphertext(blob, R"("EncryptionContext":{"b":"2"})"));
  EXPECT_EQ(opened.text("Plaintext"), kPlaintext);
  EXPECT_EQ(opened.text("KeyId"), arn(destination));
}

TEST_F(Cryptography, ReEncryptNamesTheKeyThatRefuses) {
  const std::string source = new_key();
  const std::string destination = new_key();
  const std::string request =
      with_ciphertext(encrypted(source), R"("DestinationKeyId":")" + destination + "\"");
  put_in_state(destination, KeyState::kDisabled);
  expect_error(call("ReEncrypt", request), "DisabledException", arn(destination) + " is disabled.");
  put_in_state(source, KeyState::kDisabled);
  expect_error(call("ReEncrypt", request), "DisabledException", arn(source) + " is disabled.");
}

TEST_F(Cryptography, DryRunsTellWhatWouldHappen) {
  const std::string id = new_key();
  const std::string verdict = "The request would have succeeded, but the DryRun option is set.";
  const std::string dry = R"("DryRun":true)";
  const std::string blob = encrypted(id);
  expect_error(call("Encrypt", with_key(id, R"("Plaintext":"AAAA",)" + dry)),
               "DryRunOperationException", verdict);
  expect_error(call("Decrypt", with_ciphertext(blob, dry)), "DryRunOperationException", verdict);
  expect_error(
      call("ReEncrypt", with_ciphertext(blob, dry + R"(,"DestinationKeyId":")" + id + "\"")),
      "DryRunOperationException", verdict);
  for (const char* operation : {"GenerateDataKey", "GenerateDataKeyWithoutPlaintext"}) {
    expect_error(call(operation, with_key(id, R"("KeySpec":"AES_256",)" + dry)),
                 "DryRunOperationException", verdict);
  }
  expect_error(call("Decrypt", with_ciphertext(blob, dry + R"(,"EncryptionContext":{"a":"1"})")),
               "InvalidCiphertextException");
  put_in_state(id, KeyState::kDisabled);
  expect_error(call("Encrypt", with_key(id, R"("Plaintext":"AAAA",)" + dry)), "DisabledException",
               arn(id) + " is disabled.");
}

TEST_F(Cryptography, GeneratesDataKeysOfTheSizeAskedFor) {
  const std::string id = new_key();
  const std::vector<std::pair<std::string, std::size_t>> sizes = {
      {R"("KeySpec":"AES_256")", 32},
      {R"("KeySpec":"AES_128")", 16},
      {R"("NumberOfBytes":1)", 1},
      {R"("NumberOfBytes":1024)", 1024}};
  for (const auto& [size, bytes] : sizes) {
    const Reply made =
        succeed("GenerateDataKey", with_key(id, size + R"(,"EncryptionContext":{"a":"1"})"));
    const std::string blob = made.text("CiphertextBlob");
    EXPECT_EQ(from_base64(made.text("Plaintext"))->size(), bytes);
    EXPECT_EQ(made.text("KeyId"), arn(id));
    EXPECT_EQ(made.text("KeyMaterialId").size(), 64U);
    EXPECT_EQ(succeed("Decrypt", with_ciphertext(blob, R"("EncryptionContext":{"a":"1"})"))
                  .text("Plaintext"),
              made.text("Plaintext"));

    const Reply hidden = succeed("GenerateDataKeyWithoutPlaintext", with_key(id, size));
    EXPECT_FALSE(hidden.at("Plaintext"));
    EXPECT_EQ(
        from_base64(
            succeed("Decrypt", with_ciphertext(hidden.text("CiphertextBlob"))).text("Plaintext"))
            ->size(),
        bytes);
  }
}

TEST_F(Cryptography, NeedsOneSizeOfADataKey) {
  const std::string id = new_key();
  const std::string text = "Please specify either number of bytes or key spec.";
  const std::string both = R"("KeySpec":"AES_256","NumberOfBytes":32)";
  for (const char* operation : {"GenerateDataKey", "GenerateDataKeyWithoutPlaintext"}) {
    expect_error(call(operation, with_key(id)), "ValidationException", text);
    expect_error(call(operation, with_key(id, both)), "ValidationException", text);
    // After the look-up and before the state.
    const std::string unknown = "deadbeef-dead-4eef-8ead-deadbeefdead";
    expect_error(call(operation, with_key(unknown)), "NotFoundException",
                 "Key '" + arn(unknown) + "' does not exist");
    const std::string disabled = new_key();
    put_in_state(disabled, KeyState::kDisabled);
    expect_error(call(operation, with_key(disabled)), "ValidationException", text);
  }
}

TEST_F(Cryptography, GeneratesRandomBytes) {
  const Reply random = succeed("GenerateRandom", R"({"NumberOfBytes":1024})");
  EXPECT_EQ(from_base64(random.text("Plaintext"))->size(), 1024U);
  EXPECT_NE(random.body, succeed("GenerateRandom", R"({"NumberOfBytes":1024})").body);
}

TEST_F(Cryptography, TakesNoGrantTokensButItsOwn) {
  const std::string id = new_key();
  expect_error(call("Encrypt", with_key(id, R"("Plaintext":"AAAA","GrantTokens":["t"])")),
               "InvalidGrantTokenException", "The specified grant token is not valid.");
  expect_error(call("DescribeKey", with_key(id, R"("GrantTokens":["t"])")),
               "InvalidGrantTokenException", "The specified grant token is not valid.");
  succeed("DescribeKey", with_key(id, R"("GrantTokens":[])"));
}

}  // namespace
}  // namespace keyhold::api::test

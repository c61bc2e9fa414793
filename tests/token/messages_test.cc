// Messages under message keys: round trips, what is refused, and when keys change.
#include <algorithm>

#include "token_fixture.h"

namespace keyhold::token::test {
namespace {

class MessagesTest : public TokenTest, public ::testing::WithParamInterface<Custody> {
 protected:
  void SetUp() override {
    TokenTest::SetUp();
    custody_ = GetParam();
    open();
    random_.fill(iv_);
  }

  MessageKeyPtr encryption_key(const Material& material) {
    auto key = token_->encryption_key(material);
    if (!key) throw std::runtime_error(why(key));
    return *key;
  }
  MessageKeyPtr decryption_key(const Material& material, const MessageKey& of) {
    auto key = token_->decryption_key(material, of.salt(), of.header_tag());
    if (!key) throw std::runtime_error(why(key));
    return *key;
  }
  Bytes encrypt(const MessageKey& key, std::string_view plaintext = "plaintext") {
    auto ciphertext = token_->encrypt(key, iv_, as_bytes("aad"), as_bytes(plaintext));
    if (!ciphertext) throw std::runtime_error(why(ciphertext));
    return *ciphertext;
  }
  Result<Secret> decrypt(const MessageKey& key, ByteView ciphertext) {
    return token_->decrypt(key, iv_, as_bytes("aad"), ciphertext);
  }
  static Bytes salt_of(const MessageKey& key) {
    return Bytes(key.salt().begin(), key.salt().end());
  }

  std::array<std::uint8_t, 12> iv_{};
};

INSTANTIATE_TEST_SUITE_P(Custodies, MessagesTest,
                         ::testing::Values(Custody::kResident, Custody::kWrapped),
                         [](const auto& custody) { return std::string(to_string(custody.param)); });

TEST_P(MessagesTest, WhatWasEncryptedDecryptsInThisProcessAndTheNext) {
  const Material material = generate();
  const MessageKeyPtr key = encryption_key(material);
  for (const std::string& plaintext : {std::string(), std::string("x"), std::string(70'000, 'y')}) {
    const Bytes ciphertext = encrypt(*key, plaintext);
    const auto opened = decrypt(*decryption_key(material, *key), ciphertext);
    ASSERT_TRUE(opened) << why(opened);
    EXPECT_EQ(opened->text(), plaintext);
  }
  const Bytes ciphertext = encrypt(*key);
  close();
  open();
  const auto opened = decrypt(*decryption_key(material, *key), ciphertext);
  ASSERT_TRUE(opened) << why(opened);
  EXPECT_EQ(opened->text(), "plaintext");
}

TEST_P(MessagesTest, DirectMaterialsRoundTripBesideDerivedOnes) {
  const Material derived = generate();
  close();
  open({"keys.derivation=none"});
  const Material direct = generate();
  close();
  open();
  for (const Material& material : {derived, direct}) {
    const MessageKeyPtr key = encryption_key(material);
    const auto opened = decrypt(*decryption_key(material, *key), encrypt(*key));
    ASSERT_TRUE(opened) << why(opened);
    EXPECT_EQ(opened->text(), "plaintext");
  }
}

TEST_P(MessagesTest, ADamagedCiphertextIsTheCallersAndNothingElseSuffers) {
  const Material material = generate();
  const MessageKeyPtr key = encryption_key(material);
  const Bytes ciphertext = encrypt(*key);
  for (std::size_t i = 0; i < ciphertext.size(); ++i) {
    Bytes damaged = ciphertext;
    damaged[i] ^= 0x80;
    const auto refused = decrypt(*key, damaged);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidCiphertext);
    EXPECT_EQ(refused.error().message(), "");
  }
  const auto elsewhere = token_->decrypt(*key, iv_, as_bytes("another aad"), ciphertext);
  EXPECT_EQ(elsewhere.error().code(), ErrorCode::kInvalidCiphertext);
  EXPECT_TRUE(decrypt(*key, ciphertext));
  EXPECT_TRUE(token_->check());
  EXPECT_EQ(token_->usage().recoveries, 0U);
}

TEST_P(MessagesTest, CiphertextsAndIvsOfWrongLengthNeverReachTheToken) {
  const Material material = generate();
  const MessageKeyPtr key = encryption_key(material);
  const Bytes ciphertext = encrypt(*key);
  EXPECT_EQ(decrypt(*key, ByteView(ciphertext).first(15)).error().code(),
            ErrorCode::kInvalidCiphertext);
  EXPECT_EQ(decrypt(*key, {}).error().code(), ErrorCode::kInvalidCiphertext);
  EXPECT_EQ(token_->decrypt(*key, ByteView(iv_).first(11), {}, ciphertext).error().code(),
            ErrorCode::kInvalidCiphertext);
  EXPECT_EQ(token_->encrypt(*key, {}, {}, {}).error().code(), ErrorCode::kKmsInternal);
}

TEST_P(MessagesTest, AForgedHeaderDerivesNothing) {
  const Material material = generate();
  const MessageKeyPtr key = encryption_key(material);
  Bytes salt = salt_of(*key);
  Bytes tag(key->header_tag().begin(), key->header_tag().end());
  const auto before = token_->usage();
  for (int i = 0; i < 50; ++i) {
    Bytes forged_salt = salt;
    random_.fill(forged_salt);
    const auto refused = token_->decryption_key(material, forged_salt, tag);
    EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidCiphertext);
    EXPECT_EQ(refused.error().message(), "");
  }
  for (std::size_t i = 0; i < tag.size(); ++i) {
    Bytes forged_tag = tag;
    forged_tag[i] ^= 1;
    EXPECT_EQ(token_->decryption_key(material, salt, forged_tag).error().code(),
              ErrorCode::kInvalidCiphertext);
  }
  const auto after = token_->usage();
  EXPECT_EQ(after.session_objects_made, before.session_objects_made);
  EXPECT_EQ(after.message_keys_cached, before.message_keys_cached);
}

TEST_P(MessagesTest, AHeaderOfAnotherSubjectIsForged) {
  const Material material = generate("one key");
  const MessageKeyPtr key = encryption_key(material);
  Material other = material;
  other.subject = {1};
  // The row of a wrapped material is bound to its subject itself.
  EXPECT_EQ(
      token_->decryption_key(other, key->salt(), key->header_tag()).error().code(),
      custody_ == Custody::kWrapped ? ErrorCode::kKmsInternal : ErrorCode::kInvalidCiphertext);
  EXPECT_TRUE(token_->decryption_key(material, key->salt(), key->header_tag()));
}

TEST_P(MessagesTest, SaltsAndTagsOfWrongLengthAreInvalidCiphertexts) {
  const Material material = generate();
  const MessageKeyPtr key = encryption_key(material);
  const Bytes longer(16, 0);
  EXPECT_EQ(token_->decryption_key(material, longer, key->header_tag()).error().code(),
            ErrorCode::kInvalidCiphertext);
  EXPECT_EQ(token_->decryption_key(material, {}, {}).error().code(), ErrorCode::kInvalidCiphertext);
  EXPECT_EQ(token_->decryption_key(material, key->salt(), {}).error().code(),
            ErrorCode::kInvalidCiphertext);
}

TEST_P(MessagesTest, AMessageKeyServesItsNumberOfMessagesAndNoMore) {
  close();
  open({"message_keys.max_messages=3"});
  const Material material = generate();
  const MessageKeyPtr first = encryption_key(material);
  for (int i = 0; i < 3; ++i) {
    const MessageKeyPtr key = encryption_key(material);
    EXPECT_EQ(salt_of(*key), salt_of(*first));
    encrypt(*key);
  }
  const MessageKeyPtr second = encryption_key(material);
  EXPECT_NE(salt_of(*second), salt_of(*first));
}

TEST_P(MessagesTest, AMessageKeyThatIsHeldOnToIsRefusedBeforeItsLimitIsDoubled) {
  close();
  open({"message_keys.max_messages=3"});
  const Material material = generate();
  const MessageKeyPtr key = encryption_key(material);
  for (int i = 0; i < 6; ++i) encrypt(*key);
  EXPECT_EQ(token_->encrypt(*key, iv_, {}, {}).error().code(), ErrorCode::kKmsInternal);
}

TEST_P(MessagesTest, AMessageKeyIsReplacedWhenItIsOldEnough) {
  const Material material = generate();
  const MessageKeyPtr first = encryption_key(material);
  clock_.advance(std::chrono::hours(24) - milliseconds(1));
  EXPECT_EQ(salt_of(*encryption_key(material)), salt_of(*first));
  clock_.advance(milliseconds(1));
  const MessageKeyPtr second = encryption_key(material);
  EXPECT_NE(salt_of(*second), salt_of(*first));
}

TEST_P(MessagesTest, CiphertextsOfAReplacedAndForgottenMessageKeyDecrypt) {
  close();
  open({"message_keys.max_messages=1", "message_keys.cache=16"});
  const Material material = generate();
  const MessageKeyPtr first = encryption_key(material);
  const Bytes salt = salt_of(*first);
  const Bytes tag(first->header_tag().begin(), first->header_tag().end());
  const Bytes ciphertext = encrypt(*first);
  for (int i = 0; i < 64; ++i) encrypt(*encryption_key(material));
  EXPECT_LE(token_->usage().message_keys_cached, 16U);
  const auto key = token_->decryption_key(material, salt, tag);
  ASSERT_TRUE(key) << why(key);
  const auto opened = decrypt(**key, ciphertext);
  ASSERT_TRUE(opened) << why(opened);
  EXPECT_EQ(opened->text(), "plaintext");
}

TEST_P(MessagesTest, ForgottenMessageKeysLeaveNoSessionObjectBehind) {
  close();
  open({"message_keys.max_messages=1", "message_keys.cache=16"});
  const Material material = generate();
  for (int i = 0; i < 100; ++i) encrypt(*encryption_key(material));
  const auto usage = token_->usage();
  EXPECT_GT(usage.session_objects_made, 100U);
  // The cached ones, the current one, check and header key, and the health key.
  EXPECT_LE(usage.session_objects_living, 16U + 1 + 2 + 1);
  pkcs11::Attributes session_keys;
  session_keys.no(CKA_TOKEN);
  EXPECT_LE(Intruder().find(session_keys).size(), usage.session_objects_living + 2);
}

TEST_P(MessagesTest, TheSameSaltIsDerivedOnce) {
  const Material material = generate();
  const MessageKeyPtr key = encryption_key(material);
  const auto before = token_->usage().session_objects_made;
  for (int i = 0; i < 20; ++i) {
    encryption_key(material);
    decryption_key(material, *key);
  }
  EXPECT_EQ(token_->usage().session_objects_made, before);
}

TEST_P(MessagesTest, ARestartIsDueOnceTheStatedNumberOfSessionObjectsWasMade) {
  EXPECT_EQ(token_->restart(), Pkcs11Token::Restart::kNotNeeded);
  close();
  open({"message_keys.max_messages=1", "message_keys.session_object_limit=150"});
  const Material material = generate();
  ASSERT_EQ(token_->restart(), Pkcs11Token::Restart::kNotNeeded);
  for (int i = 0; i < 150; ++i) encrypt(*encryption_key(material));
  EXPECT_EQ(token_->restart(), Pkcs11Token::Restart::kDue);
}

TEST_P(MessagesTest, AMessageKeyOutlivesItsTokenButIsRefusedByAnother) {
  const Material material = generate();
  const MessageKeyPtr key = encryption_key(material);
  const Bytes ciphertext = encrypt(*key);
  close();
  open();
  EXPECT_EQ(decrypt(*key, ciphertext).error().code(), ErrorCode::kKmsInternal);
  EXPECT_EQ(token_->encrypt(*key, iv_, {}, {}).error().code(), ErrorCode::kKmsInternal);
}

TEST_P(MessagesTest, MoreMaterialsThanAreHeldAtOnceAllWork) {
  close();
  open({"message_keys.material_cache=16", "message_keys.cache=16"});
  std::vector<Material> materials;
  std::vector<MessageKeyPtr> keys;
  std::vector<Bytes> ciphertexts;
  for (int i = 0; i < 40; ++i) {
    materials.push_back(generate());
    keys.push_back(encryption_key(materials.back()));
    ciphertexts.push_back(encrypt(*keys.back()));
  }
  for (std::size_t i = 0; i < materials.size(); ++i) {
    EXPECT_TRUE(decrypt(*decryption_key(materials[i], *keys[i]), ciphertexts[i]));
  }
}

}  // namespace
}  // namespace keyhold::token::test

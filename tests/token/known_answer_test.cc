// The constructions against OpenSSL: a key of known value in the token, and what it derives
// recomputed outside.
#include <algorithm>

#include "token_fixture.h"

namespace keyhold::token::test {
namespace {

// Written out by hand from docs/ciphertext-format.md, and not by way of construction.cc.
Bytes derived_key(ByteView material, ByteView salt, std::uint8_t first) {
  Bytes blocks;
  append(blocks, salt);
  blocks.push_back(first);
  append(blocks, salt);
  blocks.push_back(static_cast<std::uint8_t>(first + 1));
  return aes_ecb(material, blocks);
}

Bytes with_length(ByteView bytes) {
  Bytes all{0, 0, 0, static_cast<std::uint8_t>(bytes.size())};
  append(all, bytes);
  return all;
}

class KnownAnswerTest : public TokenTest {
 protected:
  void SetUp() override {
    TokenTest::SetUp();
    random_.fill(value_);
    iv_.resize(12);
    random_.fill(iv_);
    open();
  }

  Material planted(Construction construction, Bytes check_value) {
    Material material{draw_name(), construction, std::move(check_value), {1, 2, 3}};
    Intruder().plant_key(
        material.object_name, value_, profile(),
        construction == Construction::kDirect ? Derivation::kNone : Derivation::kEcb);
    return material;
  }

  Bytes check_value() const {
    return aes_cmac(derived_key(value_, zero_salt_, 3), as_bytes("keyhold check"));
  }

  std::array<std::uint8_t, 32> value_{};
  const Bytes zero_salt_ = Bytes(15, 0);
  Bytes iv_;
};

TEST_F(KnownAnswerTest, EcbMessagesAreWhatOpensslMakesOfMaterialAndSalt) {
  const Material material = planted(Construction::kEcbDerived, check_value());
  const auto key = token_->encryption_key(material);
  ASSERT_TRUE(key) << why(key);
  const auto ciphertext = token_->encrypt(**key, iv_, as_bytes("aad"), as_bytes("plaintext"));
  ASSERT_TRUE(ciphertext) << why(ciphertext);
  EXPECT_EQ((*key)->salt().size(), 15U);
  EXPECT_EQ(*ciphertext, aes_gcm(derived_key(value_, (*key)->salt(), 1), iv_, as_bytes("aad"),
                                 as_bytes("plaintext")));
}

TEST_F(KnownAnswerTest, EcbHeaderTagIsACmacOverDomainSubjectAndSalt) {
  const Material material = planted(Construction::kEcbDerived, check_value());
  const auto key = token_->encryption_key(material);
  ASSERT_TRUE(key) << why(key);
  Bytes message = with_length(as_bytes("keyhold header"));
  append(message, with_length(material.subject));
  append(message, with_length((*key)->salt()));
  const Bytes expected = aes_cmac(derived_key(value_, zero_salt_, 5), message);
  EXPECT_TRUE(std::ranges::equal((*key)->header_tag(), expected));
}

TEST_F(KnownAnswerTest, EcbCiphertextsThatOpensslMadeDecrypt) {
  const Material material = planted(Construction::kEcbDerived, check_value());
  Bytes salt(15);
  random_.fill(salt);
  Bytes message = with_length(as_bytes("keyhold header"));
  append(message, with_length(material.subject));
  append(message, with_length(salt));
  const Bytes tag = aes_cmac(derived_key(value_, zero_salt_, 5), message);
  const Bytes ciphertext =
      aes_gcm(derived_key(value_, salt, 1), iv_, as_bytes("aad"), as_bytes("from outside"));
  const auto key = token_->decryption_key(material, salt, tag);
  ASSERT_TRUE(key) << why(key);
  const auto plaintext = token_->decrypt(**key, iv_, as_bytes("aad"), ciphertext);
  ASSERT_TRUE(plaintext) << why(plaintext);
  EXPECT_EQ(plaintext->text(), "from outside");
}

TEST_F(KnownAnswerTest, DirectCheckValueIsAnEncryptionOfZerosThatOpensslCanMake) {
  Bytes check = iv_;
  append(check, aes_gcm(value_, iv_, as_bytes("keyhold check"), Bytes(32, 0)));
  const Material material = planted(Construction::kDirect, check);
  const auto checked = token_->check_material(material);
  EXPECT_TRUE(checked) << why(checked);
}

TEST_F(KnownAnswerTest, DirectMessagesAreEncryptedUnderTheMaterial) {
  Bytes check = iv_;
  append(check, aes_gcm(value_, iv_, as_bytes("keyhold check"), Bytes(32, 0)));
  const Material material = planted(Construction::kDirect, check);
  const auto key = token_->encryption_key(material);
  ASSERT_TRUE(key) << why(key);
  EXPECT_EQ((*key)->salt().size() + (*key)->header_tag().size(), 0U);
  Bytes iv(12, 7);
  const auto ciphertext = token_->encrypt(**key, iv, as_bytes("aad"), as_bytes("plaintext"));
  ASSERT_TRUE(ciphertext) << why(ciphertext);
  EXPECT_EQ(*ciphertext, aes_gcm(value_, iv, as_bytes("aad"), as_bytes("plaintext")));
}

TEST_F(KnownAnswerTest, AnotherKeyUnderTheNameIsRefusedBeforeItsFirstUse) {
  Bytes other = check_value();
  other[0] ^= 1;
  const Material material = planted(Construction::kEcbDerived, other);
  EXPECT_EQ(token_->check_material(material).error().code(), ErrorCode::kKmsInternal);
  EXPECT_EQ(token_->encryption_key(material).error().code(), ErrorCode::kKmsInternal);
}

TEST_F(KnownAnswerTest, AnotherDirectKeyUnderTheNameIsRefused) {
  Bytes check = iv_;
  append(check, aes_gcm(Bytes(32, 9), iv_, as_bytes("keyhold check"), Bytes(32, 0)));
  const Material material = planted(Construction::kDirect, check);
  EXPECT_EQ(token_->check_material(material).error().code(), ErrorCode::kKmsInternal);
}

TEST_F(KnownAnswerTest, OfTwoObjectsOfOneNameTheOneThatProvesIsUsed) {
  const Material material = planted(Construction::kEcbDerived, check_value());
  Intruder().plant_key(material.object_name, Bytes(32, 5), profile());
  EXPECT_TRUE(token_->check_material(material));
}

}  // namespace
}  // namespace keyhold::token::test

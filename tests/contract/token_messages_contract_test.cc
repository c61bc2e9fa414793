// Symmetric key materials and the messages that are encrypted under them.
#include <algorithm>
#include <thread>

#include "token_contract.h"

namespace keyhold::token::contract {
namespace {

constexpr MaterialKind kSymmetric{};

struct Sealed {
  Bytes salt;
  Bytes header_tag;
  Bytes iv;
  Bytes ciphertext;
};

class TokenMessagesContract : public TokenContract {
 protected:
  Sealed seal(const Material& material, ByteView plaintext) {
    const auto key = token().encryption_key(material);
    if (!key) throw std::runtime_error(why(key));
    Sealed sealed;
    sealed.salt.assign((*key)->salt().begin(), (*key)->salt().end());
    sealed.header_tag.assign((*key)->header_tag().begin(), (*key)->header_tag().end());
    sealed.iv.resize(token().iv_size());
    random_.fill(sealed.iv);
    auto ciphertext = token().encrypt(**key, sealed.iv, as_bytes("aad"), plaintext);
    if (!ciphertext) throw std::runtime_error(why(ciphertext));
    sealed.ciphertext = std::move(*ciphertext);
    return sealed;
  }

  Result<Secret> open_sealed(const Material& material, const Sealed& sealed,
                             std::string_view aad = "aad") {
    TRY_ASSIGN(const auto key, token().decryption_key(material, sealed.salt, sealed.header_tag));
    return token().decrypt(*key, sealed.iv, as_bytes(aad), sealed.ciphertext);
  }

  void expect_invalid(const Material& material, const Sealed& sealed,
                      std::string_view aad = "aad") {
    const auto opened = open_sealed(material, sealed, aad);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code(), ErrorCode::kInvalidCiphertext) << why(opened);
    EXPECT_EQ(opened.error().message(), "");
  }
};

TEST_F(TokenMessagesContract, AreReadableToTheirKeyAlone) {
  const auto material = generate(kSymmetric);
  if (!material) return;
  for (const std::size_t size : {0U, 1U, 16U, 4096U}) {
    SCOPED_TRACE(size);
    Bytes plaintext(size);
    random_.fill(plaintext);
    const Sealed sealed = seal(*material, plaintext);
    EXPECT_EQ(sealed.ciphertext.size(), size + kGcmTagSize);
    const auto opened = open_sealed(*material, sealed);
    ASSERT_TRUE(opened) << why(opened);
    EXPECT_TRUE(std::ranges::equal(opened->view(), plaintext));
    const auto other = generate(kSymmetric);
    ASSERT_TRUE(other);
    expect_invalid(*other, sealed);
  }
}

TEST_F(TokenMessagesContract, ThatWereChangedAreInvalidAndTheTokenIsNoneTheWorse) {
  const auto material = generate(kSymmetric);
  if (!material) return;
  const Sealed whole = seal(*material, kMessage);
  Sealed sealed = whole;
  sealed.ciphertext.front() ^= 1;
  expect_invalid(*material, sealed);
  sealed = whole;
  sealed.ciphertext.back() ^= 1;
  expect_invalid(*material, sealed);
  sealed = whole;
  sealed.ciphertext.pop_back();
  expect_invalid(*material, sealed);
  sealed.ciphertext.resize(kGcmTagSize - 1);
  expect_invalid(*material, sealed);
  sealed = whole;
  sealed.iv.front() ^= 1;
  expect_invalid(*material, sealed);
  expect_invalid(*material, whole, "another aad");
  if (!whole.header_tag.empty()) {
    sealed = whole;
    sealed.header_tag.front() ^= 1;
    expect_invalid(*material, sealed);
    sealed = whole;
    sealed.salt.front() ^= 1;
    expect_invalid(*material, sealed);
  }
  const auto opened = open_sealed(*material, whole);
  EXPECT_TRUE(opened) << why(opened);
}

TEST_F(TokenMessagesContract, AreReadableAfterARestart) {
  const auto material = generate(kSymmetric);
  if (!material) return;
  const Sealed sealed = seal(*material, kMessage);
  close();
  open();
  const auto checked = token().check_material(*material);
  EXPECT_TRUE(checked) << why(checked);
  const auto opened = open_sealed(*material, sealed);
  ASSERT_TRUE(opened) << why(opened);
  EXPECT_TRUE(std::ranges::equal(opened->view(), kMessage));
}

TEST_F(TokenMessagesContract, AreMadeByManyThreadsWhileOthersMakeKeys) {
  const auto material = generate(kSymmetric);
  if (!material) return;
  std::vector<ObjectName> names;
  for (int i = 0; i < 6; ++i) names.push_back(draw_name());
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 20; ++n) {
        const auto opened = open_sealed(*material, seal(*material, kMessage));
        ASSERT_TRUE(opened) << why(opened);
        EXPECT_TRUE(std::ranges::equal(opened->view(), kMessage));
      }
    });
  }
  threads.emplace_back([&] {
    for (const ObjectName& name : names) {
      const auto made = token().generate_material(name, "a key", kSymmetric);
      EXPECT_TRUE(made) << why(made);
    }
  });
  for (std::thread& thread : threads) thread.join();
}

TEST_F(TokenMessagesContract, AreNotReadUnderAnotherCheckValueOrSubject) {
  const auto material = generate(kSymmetric);
  if (!material) return;
  const Sealed sealed = seal(*material, kMessage);
  close();
  open();
  Material changed = *material;
  changed.check_value.back() ^= 1;
  const auto checked = token().check_material(changed);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code(), ErrorCode::kKmsInternal) << why(checked);
  const auto used = open_sealed(changed, sealed);
  ASSERT_FALSE(used);
  EXPECT_EQ(used.error().code(), ErrorCode::kKmsInternal) << why(used);
  if (material->construction == Construction::kEcbDerived) {
    changed = *material;
    changed.subject = {9};
    expect_invalid(changed, sealed);
  }
  EXPECT_TRUE(open_sealed(*material, sealed));
}

}  // namespace
}  // namespace keyhold::token::contract

#include "token/sealer.h"

#include "token_fixture.h"

namespace keyhold::token::test {
namespace {

class SealerTest : public TokenTest {
 protected:
  void SetUp() override {
    TokenTest::SetUp();
    open();
    material_ = generate("service key");
  }

  Material material_;
};

TEST_F(SealerTest, WhatWasSealedOpensHereAndInTheNextProcess) {
  Sealer sealer(*token_, material_, random_);
  const auto sealed = sealer.seal(as_bytes("a secret access key"), as_bytes("row 1"));
  ASSERT_TRUE(sealed) << why(sealed);
  EXPECT_EQ(sealer.open(*sealed, as_bytes("row 1"))->text(), "a secret access key");
  close();
  open();
  EXPECT_EQ(Sealer(*token_, material_, random_).open(*sealed, as_bytes("row 1"))->text(),
            "a secret access key");
}

TEST_F(SealerTest, WhatVersion1SealedStillOpens) {
  const MessageKeyPtr key = *token_->encryption_key(material_);
  Bytes iv(kGcmIvSize);
  random_.fill(iv);
  Bytes sealed{1, static_cast<std::uint8_t>(key->construction())};
  for (const ByteView part : {key->salt(), key->header_tag(), ByteView(iv)}) append(sealed, part);
  Bytes aad;
  for (const ByteView part :
       {as_bytes("keyhold sealed secret"), ByteView(sealed), as_bytes("row")}) {
    append(aad, Bytes{0, 0, 0, static_cast<std::uint8_t>(part.size())});
    append(aad, part);
  }
  append(sealed, *token_->encrypt(*key, iv, aad, as_bytes("secret")));

  Sealer sealer(*token_, material_, random_);
  const auto opened = sealer.open(sealed, as_bytes("row"));
  ASSERT_TRUE(opened) << why(opened);
  EXPECT_EQ(opened->text(), "secret");
  EXPECT_FALSE(sealer.open(sealed, as_bytes("another row")));
}

TEST_F(SealerTest, TheSameSecretIsNeverSealedTheSame) {
  Sealer sealer(*token_, material_, random_);
  EXPECT_NE(*sealer.seal(as_bytes("x"), {}), *sealer.seal(as_bytes("x"), {}));
}

TEST_F(SealerTest, AnyChangedByteOrCutAndAnyOtherAadIsRefused) {
  Sealer sealer(*token_, material_, random_);
  const Bytes sealed = *sealer.seal(as_bytes("secret"), as_bytes("row 1"));
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    Bytes damaged = sealed;
    damaged[i] ^= 1;
    EXPECT_EQ(sealer.open(damaged, as_bytes("row 1")).error().code(), ErrorCode::kKmsInternal) << i;
    EXPECT_EQ(sealer.open(ByteView(sealed).first(i), as_bytes("row 1")).error().code(),
              ErrorCode::kKmsInternal)
        << i;
  }
  EXPECT_EQ(sealer.open(sealed, as_bytes("row 2")).error().code(), ErrorCode::kKmsInternal);
}

TEST_F(SealerTest, AnotherServiceKeyDoesNotOpen) {
  Sealer sealer(*token_, material_, random_);
  const Bytes sealed = *sealer.seal(as_bytes("secret"), {});
  Sealer other(*token_, generate("service key"), random_);
  EXPECT_EQ(other.open(sealed, {}).error().code(), ErrorCode::kKmsInternal);
}

TEST_F(SealerTest, DirectMaterialsSealToo) {
  close();
  open({"keys.derivation=none"});
  Sealer sealer(*token_, generate("direct"), random_);
  const auto sealed = sealer.seal(as_bytes("secret"), as_bytes("row"));
  ASSERT_TRUE(sealed) << why(sealed);
  EXPECT_EQ(sealed->size(), 2U + 1 + 12 + 6 + 16);  // with the length of the IV
  EXPECT_EQ(sealer.open(*sealed, as_bytes("row"))->text(), "secret");
}

}  // namespace
}  // namespace keyhold::token::test

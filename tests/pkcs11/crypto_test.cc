#include "pkcs11/crypto.h"

#include <algorithm>

#include "pkcs11/curve.h"
#include "test_token.h"

namespace keyhold::pkcs11 {
namespace {

class Crypto : public ::testing::TestWithParam<TokenKind> {
 protected:
  void SetUp() override {
    token_ = TestToken::make(GetParam());
    if (!token_) GTEST_SKIP();
    session_.emplace(token_->session());
  }
  void TearDown() override { session_.reset(); }

  ObjectHandle aes() {
    return must(generate_key(*session_, Mechanism::plain(CKM_AES_KEY_GEN), aes_key_attributes()));
  }
  KeyPair ec(ByteView curve) {
    return must(
        generate_key_pair(*session_, Mechanism::plain(CKM_EC_KEY_PAIR_GEN),
                          Attributes().bytes(CKA_EC_PARAMS, curve).no(CKA_TOKEN).yes(CKA_VERIFY),
                          Attributes()
                              .no(CKA_TOKEN)
                              .yes(CKA_SENSITIVE)
                              .no(CKA_EXTRACTABLE)
                              .yes(CKA_SIGN)
                              .yes(CKA_DERIVE)));
  }
  KeyPair rsa() {
    const std::uint8_t exponent[] = {1, 0, 1};
    return must(generate_key_pair(*session_, Mechanism::plain(CKM_RSA_PKCS_KEY_PAIR_GEN),
                                  Attributes()
                                      .number(CKA_MODULUS_BITS, 2048)
                                      .bytes(CKA_PUBLIC_EXPONENT, exponent)
                                      .no(CKA_TOKEN)
                                      .yes(CKA_ENCRYPT)
                                      .yes(CKA_WRAP)
                                      .yes(CKA_VERIFY),
                                  Attributes()
                                      .no(CKA_TOKEN)
                                      .yes(CKA_SENSITIVE)
                                      .no(CKA_EXTRACTABLE)
                                      .yes(CKA_DECRYPT)
                                      .yes(CKA_UNWRAP)
                                      .yes(CKA_SIGN)));
  }
  Bytes value_of(ObjectHandle key) {
    return copy(must(get_attribute(*session_, key, CKA_VALUE)).value.view());
  }

  std::unique_ptr<TestToken> token_;
  std::optional<Session> session_;
};

// GCM's test case 14 of McGrew and Viega.
TEST_P(Crypto, GcmIsGcm) {
  const ObjectHandle key = must(import_aes(*session_, Bytes(32)));
  const Mechanism gcm = must(Mechanism::gcm(Bytes(12), {}));
  EXPECT_EQ(must(encrypt(*session_, gcm, key, Bytes(16))),
            hex("cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919"));
}

TEST_P(Crypto, GcmRoundTripsEveryLengthAndAad) {
  const ObjectHandle key = aes();
  for (const std::size_t size : {0, 1, 15, 16, 17, 4096}) {
    for (const std::size_t aad_size : {0, 1, 100}) {
      const Mechanism gcm = must(Mechanism::gcm(Bytes(12, 9), Bytes(aad_size, 5)));
      const Bytes plaintext(size, 0x61);
      const Bytes ciphertext = must(encrypt(*session_, gcm, key, plaintext));
      EXPECT_EQ(ciphertext.size(), size + 16);
      EXPECT_EQ(copy(must(decrypt(*session_, gcm, key, ciphertext)).view()), plaintext);
    }
  }
}

TEST_P(Crypto, ABadCiphertextFailsWipesTheOutputAndKeepsTheSession) {
  const ObjectHandle key = aes();
  const Mechanism gcm = must(Mechanism::gcm(Bytes(12), view("aad")));
  const Mechanism other_aad = must(Mechanism::gcm(Bytes(12), view("AAD")));
  const Bytes good = must(encrypt(*session_, gcm, key, view("plaintext")));
  Bytes flipped = good;
  flipped[3] ^= 1;
  const Bytes cut(good.begin(), good.begin() + 10);
  const std::pair<const Mechanism&, Bytes> cases[] = {
      {gcm, flipped}, {other_aad, good}, {gcm, cut}, {gcm, Bytes()}};
  for (const auto& [mechanism, ciphertext] : cases) {
    Bytes out(64, 0xee);
    const auto answer = decrypt_into(*session_, mechanism, key, ciphertext, out);
    ASSERT_FALSE(answer);
    EXPECT_TRUE(answer.error().ambiguous() || answer.error().fate() == Fate::kCaller)
        << answer.error().text();
    EXPECT_EQ(out, Bytes(64)) << answer.error().text();
    ASSERT_FALSE(session_->broken()) << answer.error().text();
    EXPECT_EQ(copy(must(decrypt(*session_, gcm, key, good)).view()), copy(view("plaintext")));
  }
}

TEST_P(Crypto, BuffersThatAreTooShortAreRefusedBeforeTheTokenIsAsked) {
  const ObjectHandle key = aes();
  const Mechanism gcm = must(Mechanism::gcm(Bytes(12), {}));
  Bytes out(20);
  EXPECT_EQ(rv_of(encrypt_into(*session_, gcm, key, Bytes(5), out)), CKR_BUFFER_TOO_SMALL);
  EXPECT_EQ(rv_of(decrypt_into(*session_, gcm, key, Bytes(21), out)), CKR_BUFFER_TOO_SMALL);
  EXPECT_FALSE(session_->broken());
  EXPECT_EQ(rv_of(encrypt_into(*session_, gcm, key, Bytes(4), out)), CKR_OK);
}

// The block is FIPS 197's example for AES-256.
TEST_P(Crypto, EcbDerivationIsTheEncryptionOfItsData) {
  const ObjectHandle material = must(import_aes(
      *session_, hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")));
  const Bytes block = hex("00112233445566778899aabbccddeeff");
  Bytes data = block;
  data.insert(data.end(), block.begin(), block.end());
  Attributes attributes = aes_key_attributes().no(CKA_SENSITIVE).yes(CKA_EXTRACTABLE);
  const ObjectHandle derived =
      must(derive_key(*session_, must(Mechanism::ecb_encrypt_data(data)), material, attributes));
  EXPECT_EQ(value_of(derived),
            hex("8ea2b7ca516745bfeafc49904b4960898ea2b7ca516745bfeafc49904b496089"));
}

TEST_P(Crypto, DerivationFromSensitiveMaterialIsRepeatable) {
  const ObjectHandle material = aes();
  const Mechanism derivation = must(Mechanism::ecb_encrypt_data(Bytes(32, 4)));
  const ObjectHandle one = must(derive_key(*session_, derivation, material, aes_key_attributes()));
  const ObjectHandle two = must(derive_key(*session_, derivation, material, aes_key_attributes()));
  const Mechanism gcm = must(Mechanism::gcm(Bytes(12), {}));
  const Bytes ciphertext = must(encrypt(*session_, gcm, one, view("text")));
  EXPECT_EQ(copy(must(decrypt(*session_, gcm, two, ciphertext)).view()), copy(view("text")));
}

// SP 800-38B, D.3 (AES-256), examples 9 and 10.
TEST_P(Crypto, CmacIsCmac) {
  const ObjectHandle key = must(import_aes(
      *session_, hex("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4")));
  const Mechanism cmac = Mechanism::plain(CKM_AES_CMAC);
  EXPECT_EQ(must(sign(*session_, cmac, key, {})), hex("028962f61b7bf89efc6b551f4667d983"));
  const Bytes message = hex("6bc1bee22e409f96e93d7e117393172a");
  const Bytes mac = must(sign(*session_, cmac, key, message));
  EXPECT_EQ(mac, hex("28a7023f452e8f82bd4bf28d8c37c35c"));
  if (GetParam() == TokenKind::kNss) return;  // signs with CMAC, and does not verify
  EXPECT_EQ(must(verify(*session_, cmac, key, message, mac)), Verdict::kValid);
  Bytes wrong = mac;
  wrong[0] ^= 1;
  EXPECT_EQ(must(verify(*session_, cmac, key, message, wrong)), Verdict::kInvalid);
  EXPECT_FALSE(session_->broken());
}

// RFC 3394, section 4.6.
TEST_P(Crypto, KeyWrapIsRfc3394BothWays) {
  const ObjectHandle kek = must(import_aes(
      *session_, hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f")));
  const Bytes value = hex("00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f");
  const ObjectHandle key = must(import_aes(*session_, value));
  const Mechanism wrap = Mechanism::plain(CKM_AES_KEY_WRAP);
  const Bytes blob = must(wrap_key(*session_, wrap, kek, key));
  EXPECT_EQ(blob, hex("28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326"
                      "cbc7f0e71a99f43bfb988b9b7a02dd21"));
  Attributes attributes =
      aes_key_attributes().remove(CKA_VALUE_LEN).no(CKA_SENSITIVE).yes(CKA_EXTRACTABLE);
  EXPECT_EQ(value_of(must(unwrap_key(*session_, wrap, kek, blob, attributes))), value);

  Bytes corrupt = blob;
  corrupt[10] ^= 1;
  const auto refused = unwrap_key(*session_, wrap, kek, corrupt, attributes);
  ASSERT_FALSE(refused);
  EXPECT_FALSE(session_->broken()) << refused.error().text();
}

TEST_P(Crypto, KeyWrapWithAnInitialValueOfItsOwnUsesIt) {
  const ObjectHandle kek = aes();
  const ObjectHandle key = must(import_aes(*session_, Bytes(32, 6)));
  const Mechanism wrap = Mechanism::aes_key_wrap(Bytes(8, 0x11));
  const auto blob = wrap_key(*session_, wrap, kek, key);
  if (!blob) GTEST_SKIP() << "not taken by this token: " << blob.error().text();
  Attributes attributes =
      aes_key_attributes().remove(CKA_VALUE_LEN).no(CKA_SENSITIVE).yes(CKA_EXTRACTABLE);
  EXPECT_EQ(value_of(must(unwrap_key(*session_, wrap, kek, *blob, attributes))), Bytes(32, 6));
  EXPECT_FALSE(unwrap_key(*session_, Mechanism::plain(CKM_AES_KEY_WRAP), kek, *blob, attributes));
}

TEST_P(Crypto, OaepRoundTripsAndUnwraps) {
  const KeyPair pair = rsa();
  const CK_MECHANISM_TYPE hash = GetParam() == TokenKind::kNss ? CKM_SHA256 : CKM_SHA_1;
  const Mechanism oaep = must(Mechanism::oaep(hash));
  const Bytes ciphertext = must(encrypt(*session_, oaep, pair.public_key, view("secret")));
  EXPECT_EQ(ciphertext.size(), 256U);
  EXPECT_EQ(copy(must(decrypt(*session_, oaep, pair.private_key, ciphertext)).view()),
            copy(view("secret")));

  const Bytes wrapped = must(encrypt(*session_, oaep, pair.public_key, Bytes(32, 8)));
  Attributes attributes =
      aes_key_attributes().remove(CKA_VALUE_LEN).no(CKA_SENSITIVE).yes(CKA_EXTRACTABLE);
  EXPECT_EQ(value_of(must(unwrap_key(*session_, oaep, pair.private_key, wrapped, attributes))),
            Bytes(32, 8));
}

TEST_P(Crypto, PssSignaturesVerifyAndWrongOnesDoNot) {
  const KeyPair pair = rsa();
  const Mechanism pss = must(Mechanism::pss(CKM_RSA_PKCS_PSS, CKM_SHA256, 32));
  const Bytes digest_value = must(digest(*session_, Mechanism::plain(CKM_SHA256), view("text")));
  Bytes signature = must(sign(*session_, pss, pair.private_key, digest_value));
  EXPECT_EQ(signature.size(), 256U);
  EXPECT_EQ(must(verify(*session_, pss, pair.public_key, digest_value, signature)),
            Verdict::kValid);
  signature[100] ^= 1;
  EXPECT_EQ(must(verify(*session_, pss, pair.public_key, digest_value, signature)),
            Verdict::kInvalid);
}

TEST_P(Crypto, EcdsaSignaturesVerifyAndWrongOnesDoNot) {
  const std::pair<ByteView, std::size_t> curves[] = {
      {kCurveP256, 64}, {kCurveP384, 96}, {kCurveP521, 132}};
  for (const auto& [curve, size] : curves) {
    const KeyPair pair = ec(curve);
    const Mechanism ecdsa = Mechanism::plain(CKM_ECDSA);
    const Bytes digest_value(32, 7);
    const Bytes signature = must(sign(*session_, ecdsa, pair.private_key, digest_value));
    EXPECT_EQ(signature.size(), size);
    EXPECT_EQ(must(verify(*session_, ecdsa, pair.public_key, digest_value, signature)),
              Verdict::kValid);
    EXPECT_EQ(must(verify(*session_, ecdsa, pair.public_key, Bytes(32, 8), signature)),
              Verdict::kInvalid);
    const Bytes cut(signature.begin(), signature.end() - 1);
    for (const Bytes& wrong_length : {cut, Bytes()}) {
      const auto verdict = verify(*session_, ecdsa, pair.public_key, digest_value, wrong_length);
      if (verdict) {
        EXPECT_EQ(*verdict, Verdict::kInvalid);
      } else {
        EXPECT_EQ(verdict.error().fate(), Fate::kCaller) << verdict.error().text();
        EXPECT_EQ(GetParam(), TokenKind::kNss) << verdict.error().text();
      }
    }
    EXPECT_EQ(must(verify(*session_, ecdsa, pair.public_key, digest_value, signature)),
              Verdict::kValid);
    EXPECT_FALSE(session_->broken());
  }
}

TEST_P(Crypto, BothSidesOfEcdhAgree) {
  const KeyPair alice = ec(kCurveP256);
  const KeyPair bob = ec(kCurveP256);
  Attributes secret;
  secret.number(CKA_CLASS, CKO_SECRET_KEY)
      .number(CKA_KEY_TYPE, CKK_GENERIC_SECRET)
      .no(CKA_TOKEN)
      .no(CKA_SENSITIVE)
      .yes(CKA_EXTRACTABLE);
  if (GetParam() == TokenKind::kNss) secret.number(CKA_VALUE_LEN, 32);
  const auto agree = [&](ObjectHandle mine, ObjectHandle theirs) {
    const AttributeValue point = must(get_attribute(*session_, theirs, CKA_EC_POINT));
    return value_of(
        must(derive_key(*session_, must(Mechanism::ecdh(point.value.view())), mine, secret)));
  };
  const Bytes z = agree(alice.private_key, bob.public_key);
  EXPECT_EQ(z.size(), 32U);
  EXPECT_EQ(z, agree(bob.private_key, alice.public_key));

  const auto refused =
      derive_key(*session_, must(Mechanism::ecdh(Bytes(65, 4))), alice.private_key, secret);
  EXPECT_FALSE(refused);
  EXPECT_FALSE(session_->broken()) << refused.error().text();
}

// FIPS 180-4's "abc".
TEST_P(Crypto, DigestsAreDigests) {
  EXPECT_EQ(must(digest(*session_, Mechanism::plain(CKM_SHA256), view("abc"))),
            hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"));
  EXPECT_EQ(must(digest(*session_, Mechanism::plain(CKM_SHA256), {})),
            hex("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
}

TEST_P(Crypto, RandomBytesFillTheBufferAndDiffer) {
  Bytes one(64), two(64);
  must(random(*session_, one));
  must(random(*session_, two));
  EXPECT_NE(one, two);
  EXPECT_NE(Bytes(one.end() - 16, one.end()), Bytes(16));
  EXPECT_TRUE(random(*session_, {}));
}

INSTANTIATE_TEST_SUITE_P(Tokens, Crypto, ::testing::Values(TokenKind::kSoftHsm, TokenKind::kNss),
                         [](const auto& param) { return name_of(param.param); });

}  // namespace
}  // namespace keyhold::pkcs11

// Key material from outside on SoftHSM: made by OpenSSL, wrapped, unwrapped in the token, kept, and
// used. What the token computes with it is what OpenSSL computes.
#include <openssl/hmac.h>
#include <openssl/rsa.h>

#include <algorithm>

#include "base/wrapping_algorithm.h"
#include "tests/support/brought_material.h"
#include "tests/support/wrapped_material.h"
#include "token/openssl.h"
#include "token/public_key.h"
#include "token_fixture.h"

namespace keyhold::token::test {
namespace {

using enum WrappingAlgorithm;
using keyhold::test::bring_new;
using keyhold::test::Brought;
using keyhold::test::brought_pair;
using keyhold::test::brought_secret;
using keyhold::test::wrap_material;

constexpr MaterialKind kSymmetric{KeySpec::kSymmetricDefault, KeyUsage::kEncryptDecrypt};

Brought secret(KeySpec spec, std::size_t size) { return brought_secret(spec, size); }

Brought curve(KeySpec spec, KeyUsage usage) { return bring_new({spec, usage}); }

Brought rsa(KeyUsage usage, unsigned bits = 2048) {
  return brought_pair({KeySpec::kRsa2048, usage}, EVP_RSA_gen(bits));
}

class ImportsTest : public TokenTest {
 protected:
  void SetUp() override {
    TokenTest::SetUp();
    open();
  }

  struct Parameters {
    WrappingKey key;
    Bytes public_key;
  };
  Parameters parameters(WrappingAlgorithm algorithm, KeySpec spec = KeySpec::kRsa2048) {
    const WrappingKey key{draw_name(), spec, algorithm};
    auto made = token_->generate_wrapping_key(key);
    if (!made) throw std::runtime_error(why(made));
    return {key, std::move(*made)};
  }

  Result<UnwrappedMaterialPtr> bring(const Brought& brought, WrappingAlgorithm algorithm) {
    const Parameters with = parameters(algorithm);
    return token_->unwrap_material(with.key, brought.kind,
                                   wrap_material(with.public_key, algorithm, brought.bytes.view()));
  }

  /// Brings and keeps it; as the store would know it.
  Material import(const Brought& brought, WrappingAlgorithm algorithm) {
    const auto unwrapped = bring(brought, algorithm);
    if (!unwrapped) throw std::runtime_error(why(unwrapped));
    const GeneratedMaterial& made = (*unwrapped)->made();
    Material material{draw_name(), made.construction, made.check_value,
                      {1, 2, 3},   brought.kind,      made.custody};
    if (!made.public_key.empty()) {
      material.public_key = std::make_shared<const PublicKey>(made.public_key);
    }
    const auto kept = token_->keep_material(**unwrapped, material.object_name, "imported");
    if (!kept) throw std::runtime_error(why(kept));
    return material;
  }

  void expect_held(const Material& material) {
    const auto shown = token_->evidence(material.object_name);
    ASSERT_TRUE(shown) << why(shown);
    EXPECT_EQ(shown->sensitive, true);
    EXPECT_EQ(shown->extractable, false);
    EXPECT_EQ(shown->local, false);
    EXPECT_EQ(shown->always_sensitive, false);
    EXPECT_EQ(shown->label, "imported");
    const auto checked = token_->check_material(material);
    EXPECT_TRUE(checked) << why(checked);
  }

  /// Signs or authenticates in the token, verifies by OpenSSL with what was brought.
  void expect_same_key(const Material& material, const Brought& brought) {
    const Message message{MessageType::kRaw, as_bytes("message")};
    const auto algorithms = algorithms_of(brought.kind.spec, brought.kind.usage);
    if (brought.kind.usage == KeyUsage::kEncryptDecrypt) {
      const PublicKey key(brought.public_key);
      for (const Algorithm algorithm : algorithms) {
        const auto ciphertext = key.encrypt(row_of(algorithm), message.bytes);
        const auto plaintext = token_->decrypt_padded(material, algorithm, *ciphertext);
        ASSERT_TRUE(plaintext) << why(plaintext);
        EXPECT_EQ(plaintext->text(), "message");
      }
      return;
    }
    if (brought.kind.usage == KeyUsage::kKeyAgreement) {
      const auto exchange = PublicKey(brought.public_key).exchange();
      const auto shared = token_->agree(material, exchange->point);
      ASSERT_TRUE(shared) << why(shared);
      EXPECT_TRUE(std::ranges::equal(shared->view(), exchange->shared));
      return;
    }
    for (const Algorithm algorithm : algorithms) {
      const auto signature = token_->sign(material, algorithm, message);
      ASSERT_TRUE(signature) << why(signature);
      if (!is_pair(brought.kind.spec)) {
        const EVP_MD* hash =
            EVP_get_digestbyname(("SHA" + std::to_string(row_of(brought.kind.spec).bits)).c_str());
        std::array<std::uint8_t, EVP_MAX_MD_SIZE> expected{};
        unsigned size = 0;
        HMAC(hash, brought.bytes.data(), static_cast<int>(brought.bytes.size()),
             message.bytes.data(), message.bytes.size(), expected.data(), &size);
        EXPECT_TRUE(std::ranges::equal(*signature, ByteView(expected).first(size)));
        continue;
      }
      EXPECT_EQ(PublicKey(brought.public_key).verify(row_of(algorithm), message, *signature),
                PublicKey::Verdict::kValid)
          << to_string(algorithm);
    }
  }
};

constexpr auto kEveryAlgorithm = {kRsaesOaepSha1, kRsaesOaepSha256, kRsaAesKeyWrapSha1,
                                  kRsaAesKeyWrapSha256};

bool is_staged(WrappingAlgorithm algorithm) {
  return row_of(algorithm).padding == Algorithm::kRsaesOaepSha256;
}

TEST_F(ImportsTest, SymmetricMaterialEncryptsAsItsBytesSay) {
  for (const WrappingAlgorithm algorithm : kEveryAlgorithm) {
    SCOPED_TRACE(to_string(algorithm));
    const Brought brought = secret(KeySpec::kSymmetricDefault, 32);
    const Material material = import(brought, algorithm);
    EXPECT_EQ(material.custody, is_staged(algorithm) ? Custody::kHostStaged : Custody::kImported);
    expect_held(material);
    // The check value by docs/ciphertext-format.md, computed outside.
    const auto data = derivation_data(Purpose::kCheck, kZeroSalt);
    const Bytes check_key = aes_ecb(brought.bytes.view(), data);
    EXPECT_EQ(material.check_value, aes_cmac(check_key, as_bytes(kCheckDomain)));
    const auto key = token_->encryption_key(material);
    ASSERT_TRUE(key) << why(key);
    Bytes iv(kGcmIvSize, 7);
    EXPECT_TRUE(token_->encrypt(**key, iv, {}, as_bytes("message")));
  }
}

TEST_F(ImportsTest, HmacMaterialAuthenticatesAsItsBytesSay) {
  for (const KeySpec spec :
       {KeySpec::kHmac224, KeySpec::kHmac256, KeySpec::kHmac384, KeySpec::kHmac512}) {
    for (const WrappingAlgorithm algorithm : kEveryAlgorithm) {
      SCOPED_TRACE(std::string(to_string(spec)) + " " + std::string(to_string(algorithm)));
      const Brought brought = secret(spec, static_cast<std::size_t>(row_of(spec).bits) / 8);
      const Material material = import(brought, algorithm);
      expect_held(material);
      expect_same_key(material, brought);
    }
  }
}

TEST_F(ImportsTest, CurveMaterialTellsItsPublicKeyAndSignsAndAgrees) {
  for (const KeySpec spec : {KeySpec::kEccNistP256, KeySpec::kEccNistP384, KeySpec::kEccNistP521,
                             KeySpec::kEccSecgP256K1}) {
    for (const KeyUsage usage : row_of(spec).usages) {
      for (const WrappingAlgorithm algorithm : kEveryAlgorithm) {
        if (wrapping_refusal(spec, algorithm, KeySpec::kRsa2048)) continue;
        SCOPED_TRACE(std::string(to_string(spec)) + " " + std::string(to_string(algorithm)));
        const Brought brought = curve(spec, usage);
        if (row_of(algorithm).envelope == Envelope::kMaterial && brought.bytes.size() > 190) {
          continue;  // no block of this wrapping key holds it
        }
        const Material material = import(brought, algorithm);
        EXPECT_TRUE(std::ranges::equal(material.public_key->spki(), brought.public_key));
        EXPECT_EQ(material.custody,
                  is_staged(algorithm) ? Custody::kHostStaged : Custody::kImported);
        expect_held(material);
        expect_same_key(material, brought);
      }
    }
  }
}

TEST_F(ImportsTest, RsaMaterialSignsAndDecrypts) {
  for (const KeyUsage usage : {KeyUsage::kSignVerify, KeyUsage::kEncryptDecrypt}) {
    for (const WrappingAlgorithm algorithm : {kRsaAesKeyWrapSha1, kRsaAesKeyWrapSha256}) {
      SCOPED_TRACE(to_string(algorithm));
      const Brought brought = rsa(usage);
      const Material material = import(brought, algorithm);
      EXPECT_TRUE(std::ranges::equal(material.public_key->spki(), brought.public_key));
      // OAEP with SHA-256 is done with the service's help whenever the key decrypts.
      const bool staged = is_staged(algorithm) || usage == KeyUsage::kEncryptDecrypt;
      EXPECT_EQ(material.custody, staged ? Custody::kHostStaged : Custody::kImported);
      expect_held(material);
      expect_same_key(material, brought);
    }
  }
}

TEST_F(ImportsTest, LargerWrappingKeysWorkToo) {
  for (const KeySpec spec : {KeySpec::kRsa3072, KeySpec::kRsa4096}) {
    const Brought brought = secret(KeySpec::kSymmetricDefault, 32);
    const Parameters with = parameters(kRsaesOaepSha1, spec);
    EXPECT_TRUE(token_->unwrap_material(
        with.key, brought.kind,
        wrap_material(with.public_key, kRsaesOaepSha1, brought.bytes.view())));
  }
}

TEST_F(ImportsTest, TheFingerprintIsOfTheMaterialAlone) {
  const Brought brought = secret(KeySpec::kSymmetricDefault, 32);
  const auto first = bring(brought, kRsaesOaepSha1);
  const auto second = bring(brought, kRsaAesKeyWrapSha256);
  const auto other = bring(secret(KeySpec::kSymmetricDefault, 32), kRsaesOaepSha1);
  ASSERT_TRUE(first && second && other);
  EXPECT_TRUE(std::ranges::equal((*first)->fingerprint(), (*second)->fingerprint()));
  EXPECT_FALSE(std::ranges::equal((*first)->fingerprint(), (*other)->fingerprint()));
}

TEST_F(ImportsTest, TheFingerprintIsTheSameWhereTheTokenDoesNotDerive) {
  close();
  open({"keys.derivation=none"});
  const Brought brought = secret(KeySpec::kSymmetricDefault, 32);
  const auto first = bring(brought, kRsaesOaepSha1);
  const auto second = bring(brought, kRsaesOaepSha1);
  ASSERT_TRUE(first && second);
  EXPECT_TRUE(std::ranges::equal((*first)->fingerprint(), (*second)->fingerprint()));
  EXPECT_NE((*first)->made().check_value, (*second)->made().check_value);
  expect_held(import(brought, kRsaAesKeyWrapSha1));
}

TEST_F(ImportsTest, WhatIsKeptIsThereAfterARestartAndWhatIsNotIsGone) {
  const Brought brought = secret(KeySpec::kSymmetricDefault, 32);
  const auto before = token_->list_objects()->size();
  EXPECT_TRUE(bring(brought, kRsaesOaepSha1));
  const Material material = import(brought, kRsaesOaepSha1);
  close();
  open();
  expect_held(material);
  EXPECT_EQ(token_->list_objects()->size(), before + 2 * 2 + 1)
      << "two wrapping keys, one material";
  EXPECT_TRUE(token_->destroy_material(material.object_name));
  EXPECT_EQ(token_->list_objects()->size(), before + 2 * 2);
}

TEST_F(ImportsTest, AWrappingKeyIsGoodAfterARestart) {
  const Brought brought = secret(KeySpec::kSymmetricDefault, 32);
  for (const WrappingAlgorithm algorithm : kEveryAlgorithm) {
    const Parameters with = parameters(algorithm);
    close();
    open();
    EXPECT_TRUE(token_->unwrap_material(
        with.key, brought.kind, wrap_material(with.public_key, algorithm, brought.bytes.view())));
  }
}

TEST_F(ImportsTest, AWrappingKeyDoesWhatItsAlgorithmNeedsAndNothingElse) {
  for (const WrappingAlgorithm algorithm : kEveryAlgorithm) {
    const Parameters with = parameters(algorithm);
    const CK_ATTRIBUTE_TYPE wanted = is_staged(algorithm) ? CKA_DECRYPT : CKA_UNWRAP;
    Intruder intruder;
    pkcs11::Attributes matching;
    matching.bytes(CKA_ID, with.key.object_name.bytes());
    const auto objects = intruder.find(matching);
    EXPECT_EQ(objects.size(), 2U);
    for (const auto object : objects) {
      const auto shown = [&](CK_ATTRIBUTE_TYPE type) {
        return pkcs11::get_attribute(intruder.session(), object, type);
      };
      const bool is_private = shown(CKA_CLASS)->number() == CKO_PRIVATE_KEY;
      for (const CK_ATTRIBUTE_TYPE type :
           {CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN, CKA_SIGN_RECOVER, CKA_VERIFY, CKA_WRAP, CKA_UNWRAP,
            CKA_DERIVE, CKA_EXTRACTABLE, CKA_MODIFIABLE, CKA_COPYABLE}) {
        EXPECT_EQ(shown(type)->flag().value_or(false), is_private && type == wanted)
            << std::hex << type;
      }
    }
  }
}

// Whoever is logged in can ask the token to unwrap readably, and is refused.
TEST_F(ImportsTest, WhatComesUnderAWrappingKeyCannotBeUnwrappedReadable) {
  const Parameters with = parameters(kRsaesOaepSha1);
  const Brought brought = secret(KeySpec::kSymmetricDefault, 32);
  const Bytes wrapped = wrap_material(with.public_key, kRsaesOaepSha1, brought.bytes.view());
  Intruder intruder;
  pkcs11::Attributes matching;
  matching.number(CKA_CLASS, CKO_PRIVATE_KEY).bytes(CKA_ID, with.key.object_name.bytes());
  const auto key = intruder.find(matching).at(0);
  pkcs11::Attributes readable;
  readable.number(CKA_CLASS, CKO_SECRET_KEY)
      .number(CKA_KEY_TYPE, CKK_AES)
      .no(CKA_TOKEN)
      .no(CKA_SENSITIVE)
      .yes(CKA_EXTRACTABLE);
  const auto unwrapped = pkcs11::unwrap_key(intruder.session(), *pkcs11::Mechanism::oaep(CKM_SHA_1),
                                            key, wrapped, readable);
  ASSERT_FALSE(unwrapped);
  EXPECT_EQ(unwrapped.error().rv(), CK_RV{CKR_TEMPLATE_INCONSISTENT});
}

TEST_F(ImportsTest, WithoutTheSwitchWhatTheTokenCannotUnwrapIsRefused) {
  close();
  open({"keys.remove_oaep_padding_in_service=false"});
  for (const WrappingAlgorithm algorithm : kEveryAlgorithm) {
    const auto checked = token_->check_import(kSymmetric, algorithm);
    if (!is_staged(algorithm)) {
      EXPECT_TRUE(checked) << why(checked);
      const Material material = import(secret(KeySpec::kSymmetricDefault, 32), algorithm);
      EXPECT_EQ(material.custody, Custody::kImported);
      continue;
    }
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().code(), ErrorCode::kUnsupportedOperation);
    EXPECT_EQ(checked.error().message(),
              "WrappingAlgorithm " + std::string(to_string(algorithm)) +
                  " is not supported: the token does not unwrap by CKM_RSA_PKCS_OAEP with "
                  "SHA-256.");
  }
}

TEST_F(ImportsTest, SecretsOfAWrongLengthAreIncorrect) {
  for (const WrappingAlgorithm algorithm : kEveryAlgorithm) {
    const Parameters with = parameters(algorithm);
    const auto expect_incorrect = [&](MaterialKind kind, std::size_t size) {
      SCOPED_TRACE(std::string(to_string(algorithm)) + " " + std::to_string(size));
      const Bytes wrapped =
          wrap_material(with.public_key, algorithm, secret(kind.spec, size).bytes.view());
      const auto unwrapped = token_->unwrap_material(with.key, kind, wrapped);
      ASSERT_FALSE(unwrapped);
      EXPECT_EQ(unwrapped.error().code(), ErrorCode::kIncorrectKeyMaterial) << why(unwrapped);
    };
    for (const std::size_t size : {1U, 16U, 24U, 31U, 33U, 40U, 64U}) {
      expect_incorrect(kSymmetric, size);
    }
    expect_incorrect({KeySpec::kHmac224, KeyUsage::kGenerateVerifyMac}, 27);
    expect_incorrect({KeySpec::kHmac256, KeyUsage::kGenerateVerifyMac}, 31);
    expect_incorrect({KeySpec::kHmac384, KeyUsage::kGenerateVerifyMac}, 47);
    expect_incorrect({KeySpec::kHmac512, KeyUsage::kGenerateVerifyMac}, 63);
  }
}

TEST_F(ImportsTest, HmacMaterialMayBeAsLongAsTheBlockOfItsHash) {
  const Brought brought = secret(KeySpec::kHmac256, 64);
  expect_same_key(import(brought, kRsaAesKeyWrapSha1), brought);
}

TEST_F(ImportsTest, PairsOfAnotherKindAreIncorrect) {
  const auto expect_incorrect = [&](Brought brought, MaterialKind kind) {
    brought.kind = kind;
    const auto unwrapped = bring(brought, kRsaAesKeyWrapSha1);
    ASSERT_FALSE(unwrapped);
    EXPECT_EQ(unwrapped.error().code(), ErrorCode::kIncorrectKeyMaterial) << why(unwrapped);
  };
  expect_incorrect(curve(KeySpec::kEccNistP384, KeyUsage::kSignVerify),
                   {KeySpec::kEccNistP256, KeyUsage::kSignVerify});
  expect_incorrect(curve(KeySpec::kEccNistP256, KeyUsage::kSignVerify),
                   {KeySpec::kEccSecgP256K1, KeyUsage::kSignVerify});
  expect_incorrect(rsa(KeyUsage::kSignVerify, 1024), {KeySpec::kRsa2048, KeyUsage::kSignVerify});
}

TEST_F(ImportsTest, WhatDoesNotUnwrapIsAnInvalidCiphertext) {
  const Brought brought = secret(KeySpec::kSymmetricDefault, 32);
  for (const WrappingAlgorithm algorithm : kEveryAlgorithm) {
    SCOPED_TRACE(to_string(algorithm));
    const Parameters with = parameters(algorithm);
    const Parameters other = parameters(algorithm);
    const Bytes whole = wrap_material(with.public_key, algorithm, brought.bytes.view());
    const auto expect_invalid = [&](const Bytes& wrapped) {
      const auto unwrapped = token_->unwrap_material(with.key, brought.kind, wrapped);
      ASSERT_FALSE(unwrapped);
      EXPECT_EQ(unwrapped.error().code(), ErrorCode::kInvalidCiphertext) << why(unwrapped);
      EXPECT_EQ(unwrapped.error().message(), "");
    };
    Bytes damaged = whole;
    damaged.back() ^= 1;
    expect_invalid(damaged);
    damaged = whole;
    damaged[100] ^= 1;
    expect_invalid(damaged);
    expect_invalid(Bytes(whole.begin(), whole.end() - 1));
    expect_invalid(Bytes(whole.begin(), whole.end() - 8));
    Bytes longer = whole;
    longer.insert(longer.end(), 8, 0);
    expect_invalid(longer);
    expect_invalid({});
    expect_invalid(Bytes(256, 0xff));  // no number below the modulus
    expect_invalid(wrap_material(other.public_key, algorithm, brought.bytes.view()));
    // Another padding than was agreed on.
    const auto another =
        is_staged(algorithm)
            ? (row_of(algorithm).envelope == Envelope::kMaterial ? kRsaesOaepSha1
                                                                 : kRsaAesKeyWrapSha1)
            : (row_of(algorithm).envelope == Envelope::kMaterial ? kRsaesOaepSha256
                                                                 : kRsaAesKeyWrapSha256);
    expect_invalid(wrap_material(with.public_key, another, brought.bytes.view()));
    // The token is none the worse for it.
    EXPECT_TRUE(token_->unwrap_material(with.key, brought.kind, whole));
  }
}

TEST_F(ImportsTest, NoTokenTellsThePublicKeyOfAnEdwardsKey) {
  const auto checked = token_->check_import({KeySpec::kEccNistEdwards25519, KeyUsage::kSignVerify},
                                            kRsaAesKeyWrapSha1);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code(), ErrorCode::kUnsupportedOperation);
}

}  // namespace
}  // namespace keyhold::token::test

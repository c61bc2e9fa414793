// Key material from outside: unwrapped, kept, recognised and used. What the token computes with it
// is what OpenSSL computes.
#include <openssl/hmac.h>

#include <algorithm>

#include "tests/support/brought_material.h"
#include "tests/support/wrapped_material.h"
#include "token_contract.h"

namespace keyhold::token::contract {
namespace {

using keyhold::test::bring_new;
using keyhold::test::Brought;
using keyhold::test::wrap_material;

class TokenImportsContract : public TokenContract {
 protected:
  struct Parameters {
    WrappingKey key;
    Bytes public_key;
  };
  Parameters parameters(WrappingAlgorithm algorithm, KeySpec spec) {
    const WrappingKey key{draw_name(), spec, algorithm};
    auto made = token().generate_wrapping_key(key);
    if (!made) throw std::runtime_error(why(made));
    return {key, std::move(*made)};
  }

  /// Of each form what differs most; RSA material needs the larger envelope.
  static std::vector<MaterialKind> brought_kinds() {
    return {{},
            {KeySpec::kHmac224, KeyUsage::kGenerateVerifyMac},
            {KeySpec::kHmac512, KeyUsage::kGenerateVerifyMac},
            {KeySpec::kEccNistP256, KeyUsage::kSignVerify},
            {KeySpec::kEccNistP384, KeyUsage::kKeyAgreement},
            {KeySpec::kEccSecgP256K1, KeyUsage::kSignVerify},
            {KeySpec::kRsa2048, KeyUsage::kSignVerify},
            {KeySpec::kRsa2048, KeyUsage::kEncryptDecrypt}};
  }

  /// Whether any of those may come so.
  static bool comes_under(WrappingAlgorithm algorithm) {
    return std::ranges::any_of(brought_kinds(), [&](const MaterialKind kind) {
      return !wrapping_refusal(kind.spec, algorithm, KeySpec::kRsa4096) &&
             known().lack(kind, algorithm).empty();
    });
  }

  /// One of the kind's algorithms is done with the service's help, however its keys come.
  static bool is_staged_in_use(MaterialKind kind) {
    return std::ranges::any_of(algorithms_of(kind.spec, kind.usage), [&](const Algorithm each) {
      return known().place(kind.spec, each) == "service";
    });
  }

  void expect_same_key(const Material& material, const Brought& brought) {
    const auto algorithms = algorithms_of(brought.kind.spec, brought.kind.usage);
    for (const Algorithm algorithm : algorithms) {
      SCOPED_TRACE(to_string(algorithm));
      if (!known().lack(brought.kind.spec, algorithm).empty()) continue;
      if (brought.kind.usage == KeyUsage::kKeyAgreement) {
        const auto exchange = PublicKey(brought.public_key).exchange();
        const auto shared = token().agree(material, exchange->point);
        ASSERT_TRUE(shared) << why(shared);
        EXPECT_TRUE(std::ranges::equal(shared->view(), exchange->shared));
      } else if (brought.kind.usage == KeyUsage::kSignVerify) {
        const auto signature = token().sign(material, algorithm, kRaw);
        ASSERT_TRUE(signature) << why(signature);
        EXPECT_EQ(PublicKey(brought.public_key).verify(row_of(algorithm), kRaw, *signature),
                  PublicKey::Verdict::kValid);
      } else if (brought.kind.usage == KeyUsage::kGenerateVerifyMac) {
        const auto mac = token().sign(material, algorithm, kRaw);
        ASSERT_TRUE(mac) << why(mac);
        EXPECT_EQ(*mac, hmac(brought));
      } else if (is_pair(brought.kind.spec)) {
        const auto ciphertext = PublicKey(brought.public_key).encrypt(row_of(algorithm), kMessage);
        const auto plaintext = token().decrypt_padded(material, algorithm, *ciphertext);
        ASSERT_TRUE(plaintext) << why(plaintext);
        EXPECT_TRUE(std::ranges::equal(plaintext->view(), kMessage));
      } else {
        EXPECT_TRUE(token().encryption_key(material));
      }
    }
  }

  static Bytes hmac(const Brought& brought) {
    const EVP_MD* hash =
        EVP_get_digestbyname(("SHA" + std::to_string(row_of(brought.kind.spec).bits)).c_str());
    Bytes mac(EVP_MAX_MD_SIZE);
    unsigned size = 0;
    HMAC(hash, brought.bytes.data(), static_cast<int>(brought.bytes.size()), kMessage.data(),
         kMessage.size(), mac.data(), &size);
    mac.resize(size);
    return mac;
  }
};

TEST_F(TokenImportsContract, OfEachKindComeUnderEachAlgorithmAndAreTheSameKey) {
  for (const WrappingAlgorithmRow& way : wrapping_algorithm_rows()) {
    if (!comes_under(way.algorithm)) continue;
    const Parameters with = parameters(way.algorithm, KeySpec::kRsa2048);
    for (const MaterialKind kind : brought_kinds()) {
      if (wrapping_refusal(kind.spec, way.algorithm, KeySpec::kRsa2048)) continue;
      SCOPED_TRACE(name_of(kind) + " " + std::string(to_string(way.algorithm)));
      const Brought brought = bring_new(kind);
      const Bytes wrapped = wrap_material(with.public_key, way.algorithm, brought.bytes.view());
      const auto unwrapped = token().unwrap_material(with.key, kind, wrapped);
      if (!as_known(unwrapped, known().lack(kind, way.algorithm))) continue;
      const bool staged = known().place(kind, way.algorithm) == "service" || is_staged_in_use(kind);
      EXPECT_EQ((*unwrapped)->made().custody, staged ? Custody::kHostStaged : Custody::kImported);
      const auto again = token().unwrap_material(with.key, kind, wrapped);
      ASSERT_TRUE(again) << why(again);
      EXPECT_TRUE(std::ranges::equal((*unwrapped)->fingerprint(), (*again)->fingerprint()));

      const ObjectName name = draw_name();
      const auto kept = token().keep_material(**unwrapped, name, "imported");
      ASSERT_TRUE(kept) << why(kept);
      const Material material = stored(name, kind, (*unwrapped)->made());
      const auto shown = token().evidence(name);
      ASSERT_TRUE(shown) << why(shown);
      EXPECT_EQ(shown->sensitive, true);
      EXPECT_EQ(shown->extractable, false);
      EXPECT_EQ(shown->always_sensitive.value_or(false),
                known().calls_unwrapped_always_sensitive());
      EXPECT_NE(shown->local.value_or(false), true) << "it came from outside";
      const auto checked = token().check_material(material);
      EXPECT_TRUE(checked) << why(checked);
      expect_same_key(material, brought);
    }
  }
}

TEST_F(TokenImportsContract, ThatDoNotUnwrapAreInvalidAndOfAnotherKindIncorrect) {
  for (const WrappingAlgorithmRow& way : wrapping_algorithm_rows()) {
    const MaterialKind kind{KeySpec::kHmac256, KeyUsage::kGenerateVerifyMac};
    if (!known().lack(kind, way.algorithm).empty()) continue;
    SCOPED_TRACE(to_string(way.algorithm));
    const Parameters with = parameters(way.algorithm, KeySpec::kRsa2048);
    const Brought brought = bring_new(kind);
    const Bytes whole = wrap_material(with.public_key, way.algorithm, brought.bytes.view());
    Bytes changed = whole;
    changed.back() ^= 1;
    for (const Bytes& bad : {changed, Bytes(whole.begin(), whole.end() - 1), Bytes(256, 0xff)}) {
      const auto refused = token().unwrap_material(with.key, kind, bad);
      ASSERT_FALSE(refused);
      EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidCiphertext) << why(refused);
      EXPECT_EQ(refused.error().message(), "");
    }
    const auto shorter = keyhold::test::brought_secret(kind.spec, 16);
    const auto incorrect = token().unwrap_material(
        with.key, kind, wrap_material(with.public_key, way.algorithm, shorter.bytes.view()));
    ASSERT_FALSE(incorrect);
    EXPECT_EQ(incorrect.error().code(), ErrorCode::kIncorrectKeyMaterial) << why(incorrect);
    const auto good = token().unwrap_material(with.key, kind, whole);
    EXPECT_TRUE(good) << why(good);
  }
}

TEST_F(TokenImportsContract, OfALengthThatNoAesKeyHasAreIncorrect) {
  for (const WrappingAlgorithmRow& way : wrapping_algorithm_rows()) {
    const MaterialKind kind{};
    if (!known().lack(kind, way.algorithm).empty()) continue;
    const Parameters with = parameters(way.algorithm, KeySpec::kRsa2048);
    for (const std::size_t size : {std::size_t{16}, std::size_t{31}, std::size_t{33}}) {
      SCOPED_TRACE(std::string(to_string(way.algorithm)) + " " + std::to_string(size));
      const auto brought = keyhold::test::brought_secret(kind.spec, size);
      const auto refused = token().unwrap_material(
          with.key, kind, wrap_material(with.public_key, way.algorithm, brought.bytes.view()));
      ASSERT_FALSE(refused);
      EXPECT_EQ(refused.error().code(), ErrorCode::kIncorrectKeyMaterial) << why(refused);
    }
  }
}

TEST_F(TokenImportsContract, UnderAnotherAesKeyThanOneOf256BitsAreInvalid) {
  for (const WrappingAlgorithmRow& way : wrapping_algorithm_rows()) {
    const MaterialKind kind{KeySpec::kHmac256, KeyUsage::kGenerateVerifyMac};
    if (way.envelope != Envelope::kAesKey || !known().lack(kind, way.algorithm).empty()) continue;
    const bool seen =
        known().place(kind, way.algorithm) == "service" || known().shows_unwrapped_aes_lengths();
    const Parameters with = parameters(way.algorithm, KeySpec::kRsa2048);
    const Brought brought = bring_new(kind);
    for (const std::size_t size : {std::size_t{16}, std::size_t{24}}) {
      SCOPED_TRACE(std::string(to_string(way.algorithm)) + " " + std::to_string(size));
      const auto unwrapped = token().unwrap_material(
          with.key, kind,
          wrap_material(with.public_key, way.algorithm, brought.bytes.view(), size));
      EXPECT_EQ(unwrapped.has_value(), !seen);
      if (!unwrapped) {
        EXPECT_EQ(unwrapped.error().code(), ErrorCode::kInvalidCiphertext) << why(unwrapped);
      }
    }
  }
}

TEST_F(TokenImportsContract, AreKeptOverARestartWithTheirWrappingKeys) {
  const MaterialKind kind{KeySpec::kHmac256, KeyUsage::kGenerateVerifyMac};
  const WrappingAlgorithm algorithm = WrappingAlgorithm::kRsaAesKeyWrapSha1;
  if (!as_known(token().check_import(kind, algorithm), known().lack(kind, algorithm))) return;
  const Parameters with = parameters(algorithm, KeySpec::kRsa2048);
  const Brought brought = bring_new(kind);
  const Bytes wrapped = wrap_material(with.public_key, algorithm, brought.bytes.view());
  const ObjectName name = draw_name();
  Material material;
  Bytes fingerprint;
  {
    const auto unwrapped = token().unwrap_material(with.key, kind, wrapped);
    ASSERT_TRUE(unwrapped) << why(unwrapped);
    ASSERT_TRUE(token().keep_material(**unwrapped, name, "imported"));
    material = stored(name, kind, (*unwrapped)->made());
    fingerprint.assign((*unwrapped)->fingerprint().begin(), (*unwrapped)->fingerprint().end());
  }
  close();
  open();
  expect_same_key(material, brought);
  const auto again = token().unwrap_material(with.key, kind, wrapped);
  ASSERT_TRUE(again) << why(again);
  EXPECT_TRUE(std::ranges::equal((*again)->fingerprint(), fingerprint));
}

}  // namespace
}  // namespace keyhold::token::contract

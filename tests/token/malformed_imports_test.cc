// Private keys that are none, correctly wrapped: whatever a caller puts into the envelope, the
// service lives, blames the caller or has a key whose two halves belong together, and nothing else
// is left.
#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/wrapping_algorithm.h"
#include "tests/support/brought_material.h"
#include "tests/support/der.h"
#include "tests/support/wrapped_material.h"
#include "token_fixture.h"

namespace keyhold::token::test {
namespace {

using namespace keyhold::test;
using openssl::Number;

// The object identifier rsaEncryption.
const Bytes kRsaEncryption{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01};

Der private_key_info(const Bytes& algorithm, Der parameters, Der key) {
  return der_sequence({der_integer(0), der_sequence({{0x06, algorithm}, std::move(parameters)}),
                       der_octets_of(std::move(key))});
}

class MalformedImports : public TokenTest {
 protected:
  void SetUp() override {
    TokenTest::SetUp();
    open();
    for (const WrappingAlgorithmRow& way : wrapping_algorithm_rows()) {
      const WrappingKey key{draw_name(), KeySpec::kRsa2048, way.algorithm};
      auto made = token_->generate_wrapping_key(key);
      ASSERT_TRUE(made) << why(made);
      wrapping_keys_.emplace_back(key, std::move(*made));
    }
    intruder_.emplace();
    objects_ = intruder_->find({}).size();
  }

  void TearDown() override {
    // Session objects included, of which the last ones go when something is destroyed.
    EXPECT_TRUE(token_->destroy_material(draw_name()));
    EXPECT_EQ(intruder_->find({}).size(), objects_);
    EXPECT_TRUE(token_->check());
    intruder_.reset();
  }

  /// Imports it under every algorithm under which such keys come, for every usage.
  void import(std::string_view name, KeySpec spec, const Bytes& document) {
    for (const KeyUsage usage : row_of(spec).usages) {
      for (const auto& [key, public_key] : wrapping_keys_) {
        if (wrapping_refusal(spec, key.algorithm, key.spec)) continue;
        const bool in_one_block = row_of(key.algorithm).envelope == Envelope::kMaterial;
        if (in_one_block && document.size() > kMostInOneBlock) continue;
        SCOPED_TRACE(std::string(name) + ", " + std::string(to_string(spec)) + " " +
                     std::string(to_string(usage)) + " " + std::string(to_string(key.algorithm)));
        import_so({spec, usage}, key, wrap_material(public_key, key.algorithm, document));
      }
    }
  }

  int taken_ = 0;
  int refused_ = 0;
  int incorrect_ = 0;  ///< of those that were refused

 private:
  static constexpr std::size_t kMostInOneBlock = 190;  // OAEP with SHA-256 under RSA_2048

  void import_so(MaterialKind kind, const WrappingKey& wrapping_key, const Bytes& wrapped) {
    const auto expect_callers_fault = [&](const auto& refused) {
      ++refused_;
      const ErrorCode code = refused.error().code();
      EXPECT_TRUE(code == ErrorCode::kIncorrectKeyMaterial || code == ErrorCode::kInvalidCiphertext)
          << why(refused);
      if (code == ErrorCode::kIncorrectKeyMaterial) ++incorrect_;
    };
    const auto unwrapped = token_->unwrap_material(wrapping_key, kind, wrapped);
    if (!unwrapped) return expect_callers_fault(unwrapped);
    const GeneratedMaterial& made = (*unwrapped)->made();
    const Material material{draw_name(),
                            made.construction,
                            made.check_value,
                            {},
                            kind,
                            made.custody,
                            std::make_shared<const PublicKey>(made.public_key)};
    const auto kept = token_->keep_material(**unwrapped, material.object_name, "imported");
    if (kept) {
      ++taken_;
      expect_whole_pair(material);
    } else {
      expect_callers_fault(kept);
    }
    EXPECT_TRUE(token_->destroy_material(material.object_name));
  }

  /// What one half does the other one undoes.
  void expect_whole_pair(const Material& material) {
    const Message message{MessageType::kRaw, as_bytes("message")};
    if (material.kind.usage == KeyUsage::kKeyAgreement) {
      const auto exchange = material.public_key->exchange();
      ASSERT_TRUE(exchange);
      const auto shared = token_->agree(material, exchange->point);
      ASSERT_TRUE(shared) << why(shared);
      EXPECT_TRUE(std::ranges::equal(shared->view(), exchange->shared));
      return;
    }
    for (const Algorithm algorithm : algorithms_of(material.kind.spec, material.kind.usage)) {
      if (material.kind.usage == KeyUsage::kSignVerify) {
        const auto signature = token_->sign(material, algorithm, message);
        ASSERT_TRUE(signature) << why(signature);
        EXPECT_EQ(material.public_key->verify(row_of(algorithm), message, *signature),
                  PublicKey::Verdict::kValid);
        continue;
      }
      const auto ciphertext = material.public_key->encrypt(row_of(algorithm), message.bytes);
      ASSERT_TRUE(ciphertext);
      const auto plaintext = token_->decrypt_padded(material, algorithm, *ciphertext);
      ASSERT_TRUE(plaintext) << why(plaintext);
      EXPECT_EQ(plaintext->text(), "message");
    }
  }

  std::vector<std::pair<WrappingKey, Bytes>> wrapping_keys_;
  std::optional<Intruder> intruder_;
  std::size_t objects_ = 0;
};

class MalformedRsaImports : public MalformedImports {
 protected:
  static constexpr KeySpec kSpec = KeySpec::kRsa2048;
  static constexpr std::size_t kNumbers = 8;
  static constexpr std::array<std::string_view, kNumbers> kNames = {"n", "e",  "d",  "p",
                                                                    "q", "dp", "dq", "qinv"};
  static constexpr std::array<const char*, kNumbers> kParameters = {
      OSSL_PKEY_PARAM_RSA_N,         OSSL_PKEY_PARAM_RSA_E,           OSSL_PKEY_PARAM_RSA_D,
      OSSL_PKEY_PARAM_RSA_FACTOR1,   OSSL_PKEY_PARAM_RSA_FACTOR2,     OSSL_PKEY_PARAM_RSA_EXPONENT1,
      OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1};

  MalformedRsaImports() {
    const openssl::Key key(EVP_RSA_gen(2048));
    for (std::size_t i = 0; i < kNumbers; ++i) {
      BIGNUM* number = nullptr;
      EVP_PKEY_get_bn_param(key.get(), kParameters[i], &number);
      good_[i].reset(number);
    }
  }

  static Der document(std::vector<Der> numbers) {
    numbers.insert(numbers.begin(), der_integer(0));
    return private_key_info(kRsaEncryption, {0x05, {}}, der_sequence(std::move(numbers)));
  }
  std::vector<Der> numbers() const {
    std::vector<Der> numbers;
    for (const Number& number : good_) numbers.push_back(der_integer(number.get()));
    return numbers;
  }

  /// With other numbers in the places of some.
  void import_with(std::string_view name, std::initializer_list<std::pair<int, Der>> changes) {
    std::vector<Der> changed = numbers();
    for (const auto& [place, number] : changes)
      changed.at(static_cast<std::size_t>(place)) = number;
    import(name, kSpec, document(std::move(changed)).encoded());
  }

  Der plus(std::size_t place, int difference) const {
    const Number sum(BN_dup(good_.at(place).get()));
    difference < 0 ? BN_sub_word(sum.get(), static_cast<BN_ULONG>(-difference))
                   : BN_add_word(sum.get(), static_cast<BN_ULONG>(difference));
    return der_integer(sum.get());
  }

  static Der all_ones(int bits) {
    const Number ones(BN_new());
    BN_set_bit(ones.get(), bits);
    BN_sub_word(ones.get(), 1);
    return der_integer(ones.get());
  }

  std::array<Number, kNumbers> good_;
};

TEST_F(MalformedRsaImports, WithoutAFlawIsTaken) {
  import("no flaw", kSpec, document(numbers()).encoded());
  EXPECT_EQ(refused_, 0);
  import("nothing", kSpec, {0x30, 0x00});
}

TEST_F(MalformedRsaImports, WithAPublicHalfOutOfBoundsIsIncorrect) {
  for (const int exponent : {0, 1, 3, 65535, 65536, 65538}) {
    import_with("e = " + std::to_string(exponent), {{1, der_integer(exponent)}});
  }
  const Number large(BN_new());
  BN_set_bit(large.get(), 256);
  BN_set_bit(large.get(), 0);
  import_with("e above 2^256", {{1, der_integer(large.get())}});
  import_with("e = n - 2", {{1, plus(0, -2)}});
  import_with("n even", {{0, plus(0, -1)}});
  import_with("a short n", {{0, all_ones(2047)}});
  import_with("a long n", {{0, all_ones(2049)}});
  EXPECT_EQ(taken_, 0);
  EXPECT_EQ(incorrect_, refused_);
}

// It signs and decrypts, and is not taken all the same.
TEST_F(MalformedRsaImports, WithTheExponent3IsIncorrect) {
  const openssl::KeyContext context(EVP_PKEY_CTX_new_id(EVP_PKEY_RSA, nullptr));
  const Number three(BN_new());
  BN_set_word(three.get(), 3);
  EVP_PKEY* made = nullptr;
  ASSERT_EQ(EVP_PKEY_keygen_init(context.get()), 1);
  ASSERT_EQ(EVP_PKEY_CTX_set_rsa_keygen_bits(context.get(), 2048), 1);
  ASSERT_EQ(EVP_PKEY_CTX_set1_rsa_keygen_pubexp(context.get(), three.get()), 1);
  ASSERT_EQ(EVP_PKEY_keygen(context.get(), &made), 1);
  const Brought brought = brought_pair({kSpec, KeyUsage::kSignVerify}, made);
  import("e = 3", kSpec, Bytes(brought.bytes.data(), brought.bytes.data() + brought.bytes.size()));
  EXPECT_EQ(taken_, 0);
  EXPECT_EQ(incorrect_, refused_);
}

}  // namespace
}  // namespace keyhold::token::test

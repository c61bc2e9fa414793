// Private keys that are none, correctly wrapped: whatever a caller puts into the envelope, the
// service lives, blames the caller or has a key whose two halves belong together, and nothing else
// is left.
#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/objects.h>
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

// Object identifiers of rsaEncryption and id-ecPublicKey.
const Bytes kRsaEncryption{0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01};
const Bytes kEcPublicKey{0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01};
const Bytes kPrimeField{0x2a, 0x86, 0x48, 0xce, 0x3d, 0x01, 0x01};

/// OpenSSL's number of a spec's curve.
int curve_nid(KeySpec spec) {
  const char* name = PublicKey::curve_name(spec);
  const int nist = EC_curve_nist2nid(name);
  return nist != NID_undef ? nist : OBJ_sn2nid(name);
}

Der curve_parameters(KeySpec spec) {
  const ASN1_OBJECT* name = OBJ_nid2obj(curve_nid(spec));
  const unsigned char* data = OBJ_get0_data(name);
  return {0x06, Bytes(data, data + OBJ_length(name))};
}

Der private_key_info(const Bytes& algorithm, Der parameters, Der key) {
  return der_sequence({der_integer(0), der_sequence({{0x06, algorithm}, std::move(parameters)}),
                       der_octets_of(std::move(key))});
}

/// Flaws that a token's library overlooks, and the service does not where it sees the bytes.
constexpr std::array<std::string_view, 5> kStrictlyRefused = {
    "twice", "trailing byte", "trailing element", "a length too long", "an indefinite length"};

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

  /// The document with one flaw at a time, at every level.
  void import_with_flaws(KeySpec spec, Der whole) {
    for (const DerFlaw& flaw : der_flaws()) {
      int element = 0;
      for_each_element(whole, [&](Der& der) {
        // Of a number, more bytes make another number.
        const bool refused_by_service =
            !der.parts.empty() && std::ranges::count(kStrictlyRefused, flaw.name) != 0;
        taken_staged_ = 0;
        Bytes spoilt = flaw.spoil(der);
        der.spoilt = std::move(spoilt);
        import("element " + std::to_string(element++) + ": " + std::string(flaw.name), spec,
               whole.encoded());
        der.spoilt.reset();
        if (refused_by_service) {
          EXPECT_EQ(taken_staged_, 0) << flaw.name;
        }
      });
    }
  }

  int taken_ = 0;
  int refused_ = 0;
  int incorrect_ = 0;     ///< of those that were refused
  int taken_staged_ = 0;  ///< of those that were taken: where the service saw the bytes

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
      if (row_of(wrapping_key.algorithm).padding == Algorithm::kRsaesOaepSha256) ++taken_staged_;
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

TEST_F(MalformedRsaImports, OfAnotherNumberIsRefusedOrWorks) {
  for (std::size_t place = 0; place < kNumbers; ++place) {
    const int at = static_cast<int>(place);
    const std::string name(kNames[place]);
    for (const int number : {0, 1, 2, 3, -1}) {
      import_with(name + " = " + std::to_string(number), {{at, der_integer(number)}});
    }
    for (const int difference : {-1, 2}) {
      import_with(name + " and " + std::to_string(difference), {{at, plus(place, difference)}});
    }
    const Number negative(BN_dup(good_[place].get()));
    BN_set_negative(negative.get(), 1);
    import_with("-" + name, {{at, der_integer(negative.get())}});
    for (const int bits : {16, 2048, 16000}) {
      import_with(name + " of " + std::to_string(bits) + " ones", {{at, all_ones(bits)}});
    }
    Der padded = der_integer(good_[place].get());
    padded.content.insert(padded.content.begin(), 300, 0);
    import_with(name + " behind zeros", {{at, padded}});
    for (std::size_t other = 0; other < kNumbers; ++other) {
      if (other == place) continue;
      import_with(name + " = " + std::string(kNames[other]),
                  {{at, der_integer(good_[other].get())}});
    }
  }
}

TEST_F(MalformedRsaImports, OfSeveralOtherNumbersIsRefusedOrWorks) {
  const Der zero = der_integer(0);
  const Der one = der_integer(1);
  const Der n = der_integer(good_[0].get());
  const Der d = der_integer(good_[2].get());
  import_with("p = q = 0", {{3, zero}, {4, zero}});
  import_with("p = q = d = 0", {{2, zero}, {3, zero}, {4, zero}});
  import_with("no CRT", {{3, zero}, {4, zero}, {5, zero}, {6, zero}, {7, zero}});
  import_with("n and e alone", {{2, zero}, {3, zero}, {4, zero}, {5, zero}, {6, zero}, {7, zero}});
  import_with("p = 1, q = n", {{3, one}, {4, n}, {5, zero}, {6, d}, {7, one}});
  import_with("e = d = 1", {{1, one}, {2, one}, {5, one}, {6, one}});
  import_with("e = 0, d = 0", {{1, zero}, {2, zero}, {5, zero}, {6, zero}});
  import_with("all ones", {{0, one}, {1, one}, {2, one}, {3, one}, {4, one}, {5, one}, {6, one}});
  import_with("all of one length", {{1, all_ones(2048)},
                                    {2, all_ones(2048)},
                                    {3, all_ones(2048)},
                                    {4, all_ones(2048)},
                                    {5, all_ones(2048)},
                                    {6, all_ones(2048)},
                                    {7, all_ones(2048)}});
}

TEST_F(MalformedRsaImports, WithAFlawAtAnyLevelIsRefusedOrWorks) {
  import_with_flaws(kSpec, document(numbers()));
}

class MalformedCurveImports : public MalformedImports {
 protected:
  static Bytes number(const BIGNUM* value, std::size_t size) {
    Bytes bytes(size);
    BN_bn2binpad(value, bytes.data(), static_cast<int>(size));
    return bytes;
  }

  struct Curve {
    KeySpec spec;
    openssl::Group group;
    std::size_t size;
    Number order;
  };
  static Curve curve(KeySpec spec) {
    Curve curve{spec, openssl::Group(EC_GROUP_new_by_curve_name(curve_nid(spec))),
                static_cast<std::size_t>(row_of(spec).bits + 7) / 8, nullptr};
    curve.order.reset(BN_dup(EC_GROUP_get0_order(curve.group.get())));
    return curve;
  }
  static Bytes point(const Curve& curve, const BIGNUM* scalar, point_conversion_form_t form) {
    const openssl::Point at(EC_POINT_new(curve.group.get()));
    EC_POINT_mul(curve.group.get(), at.get(), scalar, nullptr, nullptr, nullptr);
    Bytes bytes(EC_POINT_point2oct(curve.group.get(), at.get(), form, nullptr, 0, nullptr));
    EC_POINT_point2oct(curve.group.get(), at.get(), form, bytes.data(), bytes.size(), nullptr);
    return bytes;
  }

  static Der public_part(Bytes of) {
    of.insert(of.begin(), 0);  // no unused bits
    return {0xa1, {}, {{0x03, std::move(of)}}};
  }
  static Der document(KeySpec spec, Bytes scalar, std::vector<Der> more = {},
                      std::optional<Der> parameters = {}) {
    std::vector<Der> key{der_integer(1), der_octets(std::move(scalar))};
    key.insert(key.end(), more.begin(), more.end());
    return private_key_info(kEcPublicKey, parameters ? *parameters : curve_parameters(spec),
                            der_sequence(std::move(key)));
  }

  /// The curve's parameters, written out; each number can be another (SEC 1, appendix C.2).
  static Der written_out(const Curve& curve, std::optional<Der> prime, std::optional<Der> order,
                         const Bytes& generator) {
    const Number p(BN_new());
    const Number a(BN_new());
    const Number b(BN_new());
    EC_GROUP_get_curve(curve.group.get(), p.get(), a.get(), b.get(), nullptr);
    return der_sequence(
        {der_integer(1), der_sequence({{0x06, kPrimeField}, prime ? *prime : der_integer(p.get())}),
         der_sequence(
             {der_octets(number(a.get(), curve.size)), der_octets(number(b.get(), curve.size))}),
         der_octets(generator), order ? *order : der_integer(curve.order.get()), der_integer(1)});
  }

  static Number plus(const Number& to, int difference) {
    Number sum(BN_dup(to.get()));
    difference < 0 ? BN_sub_word(sum.get(), static_cast<BN_ULONG>(-difference))
                   : BN_add_word(sum.get(), static_cast<BN_ULONG>(difference));
    return sum;
  }
};

TEST_F(MalformedCurveImports, OfAnyScalarIsRefusedOrWorks) {
  for (const KeySpec spec : {KeySpec::kEccNistP256, KeySpec::kEccNistP384, KeySpec::kEccNistP521,
                             KeySpec::kEccSecgP256K1}) {
    const Curve of = curve(spec);
    const auto import_scalar = [&](std::string_view name, Bytes scalar) {
      import(name, spec, document(spec, std::move(scalar)).encoded());
    };
    Bytes one(of.size);
    one.back() = 1;
    import_scalar("one", one);
    import_scalar("the highest", number(plus(of.order, -1).get(), of.size));
    EXPECT_EQ(refused_, 0);
    import_scalar("zero", Bytes(of.size));
    taken_staged_ = 0;
    import_scalar("the order", number(of.order.get(), of.size));
    import_scalar("the order and one", number(plus(of.order, 1).get(), of.size));
    import_scalar("all ones", Bytes(of.size, 0xff));
    import_scalar("none", {});
    EXPECT_EQ(taken_staged_, 0);
    import_scalar("one byte", {7});
    import_scalar("one byte of zero", {0});
    import_scalar("shorter", Bytes(of.size - 1, 0x55));
    import_scalar("longer by a zero", number(plus(of.order, -5).get(), of.size + 1));
    import_scalar("longer", Bytes(of.size + 1, 0x55));
    import_scalar("much longer", Bytes(1000, 0x55));
    EXPECT_GT(refused_, 0);
    refused_ = 0;
  }
}

TEST_F(MalformedCurveImports, OfOtherParametersIsRefusedOrWorks) {
  constexpr KeySpec kSpec = KeySpec::kEccNistP256;
  const Curve of = curve(kSpec);
  const Bytes scalar(of.size, 0x55);
  const auto import_under = [&](std::string_view name, Der parameters) {
    import(name, kSpec, document(kSpec, scalar, {}, std::move(parameters)).encoded());
  };
  const Number one(BN_new());
  BN_one(one.get());
  const Number seven(BN_new());
  BN_set_word(seven.get(), 7);
  const Bytes generator = point(of, one.get(), POINT_CONVERSION_UNCOMPRESSED);
  import_under("no parameters", {0x05, {}, {}, Bytes()});
  import_under("NULL", {0x05, {}});
  import_under("another curve", curve_parameters(KeySpec::kEccSecgP256K1));
  import_under("a larger curve", curve_parameters(KeySpec::kEccNistP521));
  import_under("no curve", {0x06, kEcPublicKey});
  import_under("written out", written_out(of, {}, {}, generator));
  import_under("another generator",
               written_out(of, {}, {}, point(of, seven.get(), POINT_CONVERSION_UNCOMPRESSED)));
  import_under("a compressed generator",
               written_out(of, {}, {}, point(of, one.get(), POINT_CONVERSION_COMPRESSED)));
  import_under("the generator at infinity", written_out(of, {}, {}, {0}));
  import_under("a generator of zeros", written_out(of, {}, {}, Bytes(generator.size())));
  for (const int number : {-1, 0, 1, 2, 3, 4}) {
    import_under("a prime of " + std::to_string(number),
                 written_out(of, der_integer(number), {}, generator));
    import_under("an order of " + std::to_string(number),
                 written_out(of, {}, der_integer(number), generator));
  }
  const Number huge(BN_new());
  BN_set_bit(huge.get(), 5000);
  import_under("a huge even prime", written_out(of, der_integer(huge.get()), {}, generator));
  BN_set_bit(huge.get(), 0);
  import_under("a huge prime", written_out(of, der_integer(huge.get()), {}, generator));
  import_under("a huge order", written_out(of, {}, der_integer(huge.get()), generator));
}

TEST_F(MalformedCurveImports, OfAnotherPublicKeyIsRefusedOrWorks) {
  constexpr KeySpec kSpec = KeySpec::kEccNistP256;
  const Curve of = curve(kSpec);
  const Bytes scalar(of.size, 0x55);
  const Number value(BN_bin2bn(scalar.data(), static_cast<int>(scalar.size()), nullptr));
  const auto import_with = [&](std::string_view name, Der more) {
    import(name, kSpec, document(kSpec, scalar, {std::move(more)}).encoded());
  };
  const Bytes own = point(of, value.get(), POINT_CONVERSION_UNCOMPRESSED);
  import_with("its own", public_part(own));
  EXPECT_EQ(refused_, 0);
  import_with("its own, compressed",
              public_part(point(of, value.get(), POINT_CONVERSION_COMPRESSED)));
  Bytes off = own;
  off.back() ^= 1;
  import_with("off the curve", public_part(off));
  import_with("another's",
              public_part(point(of, plus(value, 1).get(), POINT_CONVERSION_UNCOMPRESSED)));
  import_with("at infinity", public_part({0}));
  import_with("none", public_part({}));
  import_with("short", public_part(Bytes(own.begin(), own.end() - 1)));
  import_with("another curve's", public_part(Bytes(97, 0x04)));
  import_with("parameters of another curve inside",
              {0xa0, {}, {curve_parameters(KeySpec::kEccNistP384)}});
  import_with("parameters inside that are none", {0xa0, {}, {{0x05, {}}}});
  import("nothing", kSpec, {0x30, 0x00});
}

TEST_F(MalformedCurveImports, WithAFlawAtAnyLevelIsRefusedOrWorks) {
  constexpr KeySpec kSpec = KeySpec::kEccNistP256;
  const Curve of = curve(kSpec);
  const Bytes scalar(of.size, 0x55);
  const Number value(BN_bin2bn(scalar.data(), static_cast<int>(scalar.size()), nullptr));
  Der whole =
      document(kSpec, scalar, {public_part(point(of, value.get(), POINT_CONVERSION_UNCOMPRESSED))});
  import_with_flaws(kSpec, std::move(whole));
}

}  // namespace
}  // namespace keyhold::token::test

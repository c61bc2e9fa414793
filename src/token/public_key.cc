#include "token/public_key.h"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <algorithm>
#include <array>
#include <mutex>
#include <string>

#include "token/openssl.h"

namespace keyhold::token {
namespace {

/// OpenSSL's name of a hash; null for none.
const EVP_MD* digest(Hash hash) {
  switch (hash) {
    case Hash::kNone:
      return nullptr;
    case Hash::kSha1:
      return EVP_sha1();
    case Hash::kSha224:
      return EVP_sha224();
    case Hash::kSha256:
      return EVP_sha256();
    case Hash::kSha384:
      return EVP_sha384();
    case Hash::kSha512:
      return EVP_sha512();
    case Hash::kSm3:
      return EVP_sm3();
  }
  return nullptr;
}

openssl::Key make_key(const char* type, OSSL_PARAM* parameters) {
  const openssl::KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1) {
    return nullptr;
  }
  return openssl::Key(key);
}

openssl::Key point_key(KeySpec spec, ByteView point) {
  const char* group = PublicKey::curve_name(spec);
  if (group == nullptr) return nullptr;
  std::string name(group);
  Bytes copy(point.begin(), point.end());
  std::array parameters = {
      OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, name.data(), 0),
      OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, copy.data(), copy.size()),
      OSSL_PARAM_construct_end()};
  return make_key("EC", parameters.data());
}

Bytes encode(EVP_PKEY* key) {
  const int size = i2d_PUBKEY(key, nullptr);
  if (size <= 0) return {};
  Bytes spki(static_cast<std::size_t>(size));
  unsigned char* at = spki.data();
  i2d_PUBKEY(key, &at);
  return spki;
}

openssl::Key decode(ByteView spki) {
  const unsigned char* at = spki.data();
  openssl::Key key(d2i_PUBKEY(nullptr, &at, static_cast<long>(spki.size())));
  if (key != nullptr && at != spki.data() + spki.size()) return nullptr;
  return key;
}

bool set_padding(EVP_PKEY_CTX* context, const AlgorithmRow& algorithm) {
  const EVP_MD* hash = digest(algorithm.hash);
  switch (algorithm.scheme) {
    case Scheme::kPss:
      return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PSS_PADDING) == 1 &&
             EVP_PKEY_CTX_set_signature_md(context, hash) == 1 &&
             EVP_PKEY_CTX_set_rsa_mgf1_md(context, hash) == 1 &&
             EVP_PKEY_CTX_set_rsa_pss_saltlen(context, RSA_PSS_SALTLEN_DIGEST) == 1;
    case Scheme::kPkcs1:
      return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_PADDING) == 1 &&
             EVP_PKEY_CTX_set_signature_md(context, hash) == 1;
    case Scheme::kOaep:
      return EVP_PKEY_CTX_set_rsa_padding(context, RSA_PKCS1_OAEP_PADDING) == 1 &&
             EVP_PKEY_CTX_set_rsa_oaep_md(context, hash) == 1 &&
             EVP_PKEY_CTX_set_rsa_mgf1_md(context, hash) == 1;
    default:
      return algorithm.scheme == Scheme::kEcdsa;
  }
}

/// Whether a key is of the kind that an algorithm works with: OpenSSL would take others.
bool fits(const EVP_PKEY* key, const AlgorithmRow& algorithm) {
  switch (algorithm.scheme) {
    case Scheme::kPss:
    case Scheme::kPkcs1:
    case Scheme::kOaep:
      return EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA;
    case Scheme::kEcdsa:
      return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC;
    case Scheme::kEd25519:
      return EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519;
    default:
      return false;
  }
}

/// FIPS 186-5, section 5.1 and appendix A.1.1: an odd modulus of the spec's length, an odd exponent
/// above 2^16 and below 2^256. OpenSSL, and tokens that are built on it, go astray with some
/// others, and an exponent of 1 encrypts nothing.
bool are_rsa_numbers(KeySpec spec, const BIGNUM* modulus, const BIGNUM* exponent) {
  constexpr int kLeastExponentBits = 17;
  constexpr int kMostExponentBits = 256;
  const int exponent_bits = BN_num_bits(exponent);
  return BN_num_bits(modulus) == row_of(spec).bits && BN_is_odd(modulus) == 1 &&
         BN_is_odd(exponent) == 1 && exponent_bits >= kLeastExponentBits &&
         exponent_bits <= kMostExponentBits;
}

}  // namespace

struct PublicKey::Parsed {
  openssl::Key key;
};

struct PublicKey::Lazy {
  std::once_flag once;
  Parsed parsed;
};

const char* PublicKey::curve_name(KeySpec spec) {
  struct Group {
    KeySpec spec;
    const char* name;
  };
  static constexpr auto kGroups = std::to_array<Group>({
      {KeySpec::kEccNistP256, "P-256"},
      {KeySpec::kEccNistP384, "P-384"},
      {KeySpec::kEccNistP521, "P-521"},
      {KeySpec::kEccSecgP256K1, "secp256k1"},
  });
  const auto at = std::ranges::find(kGroups, spec, &Group::spec);
  return at == kGroups.end() ? nullptr : at->name;
}

PublicKey::PublicKey(Bytes spki) : spki_(std::move(spki)), lazy_(std::make_unique<Lazy>()) {}
PublicKey::~PublicKey() = default;

const PublicKey::Parsed* PublicKey::parsed() const {
  const openssl::QuietErrors quiet;
  std::call_once(lazy_->once, [this] { lazy_->parsed.key = decode(spki_); });
  return lazy_->parsed.key == nullptr ? nullptr : &lazy_->parsed;
}

std::shared_ptr<const PublicKey> PublicKey::of_rsa(KeySpec spec, ByteView modulus,
                                                   ByteView exponent) {
  const openssl::QuietErrors quiet;
  const auto number = [](ByteView bytes) {
    return openssl::Number(BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr));
  };
  const openssl::Number n = number(modulus);
  const openssl::Number e = number(exponent);
  const openssl::Builder builder(OSSL_PARAM_BLD_new());
  if (n == nullptr || e == nullptr || !are_rsa_numbers(spec, n.get(), e.get()) ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
    return nullptr;
  }
  const openssl::Parameters parameters(OSSL_PARAM_BLD_to_param(builder.get()));
  const openssl::Key key = make_key("RSA", parameters.get());
  if (key == nullptr) return nullptr;
  return std::make_shared<const PublicKey>(encode(key.get()));
}

std::shared_ptr<const PublicKey> PublicKey::of_point(KeySpec spec, ByteView point) {
  const openssl::QuietErrors quiet;
  const openssl::Key key = row_of(spec).form == KeyForm::kEdwards
                               ? openssl::Key(EVP_PKEY_new_raw_public_key(
                                     EVP_PKEY_ED25519, nullptr, point.data(), point.size()))
                               : point_key(spec, point);
  if (key == nullptr) return nullptr;
  return std::make_shared<const PublicKey>(encode(key.get()));
}

std::shared_ptr<const PublicKey> PublicKey::of_ml_dsa(KeySpec spec, ByteView key) {
  struct Form {
    KeySpec spec;
    std::size_t size;  // FIPS 204, table 2
    std::uint8_t arc;  // the last of its object identifier (RFC 9881, section 2)
  };
  static constexpr auto kForms = std::to_array<Form>({{KeySpec::kMlDsa44, 1312, 17},
                                                      {KeySpec::kMlDsa65, 1952, 18},
                                                      {KeySpec::kMlDsa87, 2592, 19}});
  const auto form = std::ranges::find(kForms, spec, &Form::spec);
  if (form == kForms.end() || key.size() != form->size) return nullptr;
  // OpenSSL 3.0 does not know it: SEQUENCE { SEQUENCE { OBJECT IDENTIFIER }, BIT STRING }.
  const auto long_form = [](std::uint8_t tag, std::size_t size) {
    return std::array<std::uint8_t, 4>{tag, 0x82, static_cast<std::uint8_t>(size >> 8),
                                       static_cast<std::uint8_t>(size & 0xff)};
  };
  const std::array<std::uint8_t, 13> algorithm = {0x30, 0x0b, 0x06, 0x09, 0x60, 0x86,     0x48,
                                                  0x01, 0x65, 0x03, 0x04, 0x03, form->arc};
  const auto bits = long_form(0x03, key.size() + 1);
  Bytes spki;
  append(spki, long_form(0x30, algorithm.size() + bits.size() + 1 + key.size()));
  append(spki, algorithm);
  append(spki, bits);
  spki.push_back(0);  // no unused bits
  append(spki, key);
  return std::make_shared<const PublicKey>(std::move(spki));
}

Bytes PublicKey::fingerprint() const { return sha256(spki_); }

bool PublicKey::can_verify(const AlgorithmRow& algorithm) {
  switch (algorithm.scheme) {
    case Scheme::kPss:
    case Scheme::kPkcs1:
    case Scheme::kEcdsa:
    case Scheme::kEd25519:
      return true;
    default:
      return false;
  }
}

PublicKey::Verdict PublicKey::verify(const AlgorithmRow& algorithm, const Message& message,
                                     ByteView signature) const {
  const openssl::QuietErrors quiet;
  const Parsed* own = parsed();
  if (own == nullptr || !can_verify(algorithm) || !fits(own->key.get(), algorithm)) {
    return Verdict::kInvalid;
  }
  if (algorithm.scheme == Scheme::kEd25519) {
    const openssl::DigestContext context(EVP_MD_CTX_new());
    const bool valid =
        EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, own->key.get()) == 1 &&
        EVP_DigestVerify(context.get(), signature.data(), signature.size(), message.bytes.data(),
                         message.bytes.size()) == 1;
    return valid ? Verdict::kValid : Verdict::kInvalid;
  }
  const openssl::KeyContext context(EVP_PKEY_CTX_new(own->key.get(), nullptr));
  const Bytes hashed = digest_of(algorithm, message);
  const bool valid = EVP_PKEY_verify_init(context.get()) == 1 &&
                     set_padding(context.get(), algorithm) &&
                     EVP_PKEY_verify(context.get(), signature.data(), signature.size(),
                                     hashed.data(), hashed.size()) == 1;
  return valid ? Verdict::kValid : Verdict::kInvalid;
}

std::optional<Bytes> PublicKey::encrypt(const AlgorithmRow& algorithm, ByteView message) const {
  const openssl::QuietErrors quiet;
  const Parsed* own = parsed();
  if (own == nullptr || algorithm.scheme != Scheme::kOaep || !fits(own->key.get(), algorithm)) {
    return std::nullopt;
  }
  const openssl::KeyContext context(EVP_PKEY_CTX_new(own->key.get(), nullptr));
  Bytes ciphertext(static_cast<std::size_t>(EVP_PKEY_get_size(own->key.get())));
  std::size_t size = ciphertext.size();
  if (EVP_PKEY_encrypt_init(context.get()) != 1 || !set_padding(context.get(), algorithm) ||
      EVP_PKEY_encrypt(context.get(), ciphertext.data(), &size, message.data(), message.size()) !=
          1) {
    return std::nullopt;
  }
  ciphertext.resize(size);
  return ciphertext;
}

bool PublicKey::below_modulus(ByteView number) const {
  const Parsed* own = parsed();
  BIGNUM* modulus = nullptr;
  if (own == nullptr ||
      EVP_PKEY_get_bn_param(own->key.get(), OSSL_PKEY_PARAM_RSA_N, &modulus) != 1) {
    return false;
  }
  const openssl::Number owned(modulus);
  const openssl::Number value(BN_bin2bn(number.data(), static_cast<int>(number.size()), nullptr));
  return value != nullptr && BN_cmp(value.get(), modulus) < 0;
}

std::optional<PublicKey::Exchange> PublicKey::exchange() const {
  const openssl::QuietErrors quiet;
  const Parsed* own = parsed();
  if (own == nullptr || EVP_PKEY_get_base_id(own->key.get()) != EVP_PKEY_EC) return std::nullopt;
  const openssl::KeyContext maker(EVP_PKEY_CTX_new(own->key.get(), nullptr));
  EVP_PKEY* made = nullptr;
  if (EVP_PKEY_keygen_init(maker.get()) != 1 || EVP_PKEY_keygen(maker.get(), &made) != 1) {
    return std::nullopt;
  }
  const openssl::Key ephemeral(made);
  Exchange exchange;
  unsigned char* point = nullptr;
  const std::size_t point_size = EVP_PKEY_get1_encoded_public_key(made, &point);
  if (point_size == 0) return std::nullopt;
  exchange.point.assign(point, point + point_size);
  OPENSSL_free(point);
  const openssl::KeyContext context(EVP_PKEY_CTX_new(made, nullptr));
  std::size_t size = 0;
  if (EVP_PKEY_derive_init(context.get()) != 1 ||
      EVP_PKEY_derive_set_peer(context.get(), own->key.get()) != 1 ||
      EVP_PKEY_derive(context.get(), nullptr, &size) != 1) {
    return std::nullopt;
  }
  exchange.shared.resize(size);
  if (EVP_PKEY_derive(context.get(), exchange.shared.data(), &size) != 1) return std::nullopt;
  exchange.shared.resize(size);
  return exchange;
}

std::optional<Bytes> peer_point(KeySpec spec, ByteView spki) {
  constexpr std::uint8_t kUncompressed = 0x04;
  const openssl::QuietErrors quiet;
  const std::size_t width = (static_cast<std::size_t>(row_of(spec).bits) + 7) / 8;
  if (spki.size() < 1 + 2 * width) return std::nullopt;
  const ByteView point = spki.last(1 + 2 * width);
  if (point.front() != kUncompressed) return std::nullopt;
  // Made from the point alone, it must come out as the very bytes that were sent: another curve,
  // explicit parameters, and whatever follows the key do not.
  const openssl::Key key = point_key(spec, point);
  if (key == nullptr || !std::ranges::equal(encode(key.get()), spki)) return std::nullopt;
  // The curves have the cofactor 1, so that every point of them is of their order: what the quick
  // check leaves out costs as much as an agreement.
  const openssl::KeyContext check(EVP_PKEY_CTX_new(key.get(), nullptr));
  if (EVP_PKEY_public_check_quick(check.get()) != 1) return std::nullopt;
  return Bytes(point.begin(), point.end());
}

Bytes digest_of(const AlgorithmRow& algorithm, const Message& message) {
  if (message.type != MessageType::kRaw || algorithm.hash == Hash::kNone) {
    return Bytes(message.bytes.begin(), message.bytes.end());
  }
  Bytes out(hash_size(algorithm.hash));
  unsigned int size = 0;
  EVP_Digest(message.bytes.data(), message.bytes.size(), out.data(), &size, digest(algorithm.hash),
             nullptr);
  return out;
}

Bytes sha256(ByteView bytes) {
  Bytes out(32);
  unsigned int size = 0;
  EVP_Digest(bytes.data(), bytes.size(), out.data(), &size, EVP_sha256(), nullptr);
  return out;
}

Bytes ecdsa_to_der(ByteView r_and_s) {
  const auto width = static_cast<int>(r_and_s.size() / 2);
  const std::unique_ptr<ECDSA_SIG, openssl::Freed<ECDSA_SIG_free>> signature(ECDSA_SIG_new());
  ECDSA_SIG_set0(signature.get(), BN_bin2bn(r_and_s.data(), width, nullptr),
                 BN_bin2bn(r_and_s.data() + width, width, nullptr));
  Bytes der(static_cast<std::size_t>(i2d_ECDSA_SIG(signature.get(), nullptr)));
  unsigned char* at = der.data();
  i2d_ECDSA_SIG(signature.get(), &at);
  return der;
}

}  // namespace keyhold::token

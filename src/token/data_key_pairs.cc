#include "token/data_key_pairs.h"

#include <openssl/core_names.h>
#include <openssl/rand.h>
#include <openssl/x509.h>

#include <array>
#include <optional>
#include <string>

#include "token/key_kind.h"
#include "token/key_template.h"
#include "token/native_key.h"
#include "token/openssl.h"
#include "token/rsa_parts.h"

namespace keyhold::token {
namespace {

using Values = std::vector<pkcs11::AttributeValue>;

openssl::Key assemble(const char* type, OSSL_PARAM_BLD* builder) {
  const openssl::Parameters parameters(OSSL_PARAM_BLD_to_param(builder));
  const openssl::KeyContext context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (parameters == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_KEYPAIR, parameters.get()) != 1) {
    return nullptr;
  }
  return openssl::Key(key);
}

openssl::Number number(const pkcs11::AttributeValue& value) {
  return openssl::Number(
      BN_bin2bn(value.value.data(), static_cast<int>(value.value.size()), BN_secure_new()));
}

openssl::Key rsa_key(const Values& values) {
  const openssl::Builder builder(OSSL_PARAM_BLD_new());
  std::vector<openssl::Number> numbers;
  for (std::size_t i = 0; i < kRsaParts.size(); ++i) {
    numbers.push_back(number(values[i]));
    if (OSSL_PARAM_BLD_push_BN(builder.get(), kRsaParts[i].name, numbers.back().get()) != 1) {
      return nullptr;
    }
  }
  return assemble("RSA", builder.get());
}

/// A curve's key: the secret number, and the public point of its other half.
openssl::Key curve_key(const pkcs11::AttributeValue& secret, const PublicKey& public_key) {
  const ByteView spki = public_key.spki();
  const unsigned char* at = spki.data();
  const openssl::Key half(d2i_PUBKEY(nullptr, &at, static_cast<long>(spki.size())));
  std::array<char, 32> group{};
  unsigned char* encoded = nullptr;
  const std::size_t size = EVP_PKEY_get1_encoded_public_key(half.get(), &encoded);
  if (size == 0) return nullptr;
  const Bytes point(encoded, encoded + size);
  OPENSSL_free(encoded);
  if (EVP_PKEY_get_group_name(half.get(), group.data(), group.size(), nullptr) != 1) return nullptr;
  const openssl::Number value = number(secret);
  const openssl::Builder builder(OSSL_PARAM_BLD_new());
  if (OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, group.data(), 0) !=
          1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                       point.size()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_PRIV_KEY, value.get()) != 1) {
    return nullptr;
  }
  return assemble("EC", builder.get());
}

openssl::Key edwards_key(const pkcs11::AttributeValue& secret) {
  // Some tokens have the seed in an OCTET STRING.
  const ByteView seed = secret.value.view();
  const ByteView bare = seed.size() == 34 ? seed.subspan(2) : seed;
  return openssl::Key(
      EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, bare.data(), bare.size()));
}

openssl::Key private_key(KeySpec spec, const Values& values, const PublicKey& public_key) {
  switch (row_of(spec).form) {
    case KeyForm::kRsa:
      return rsa_key(values);
    case KeyForm::kEdwards:
      return edwards_key(values.front());
    default:
      return curve_key(values.front(), public_key);
  }
}

/// In their wire forms; nothing if the private key is not the public one's, which tokens can get
/// wrong without saying so.
std::optional<DataKeyPair> encode(EVP_PKEY* key, const std::optional<Bytes>& expected_public) {
  if (key == nullptr) return std::nullopt;
  DataKeyPair pair;
  pair.public_key.resize(static_cast<std::size_t>(i2d_PUBKEY(key, nullptr)));
  unsigned char* at = pair.public_key.data();
  i2d_PUBKEY(key, &at);
  if (expected_public && *expected_public != pair.public_key) return std::nullopt;
  const openssl::KeyContext check(EVP_PKEY_CTX_new(key, nullptr));
  if (EVP_PKEY_pairwise_check(check.get()) != 1) return std::nullopt;
  const std::unique_ptr<PKCS8_PRIV_KEY_INFO, openssl::Freed<PKCS8_PRIV_KEY_INFO_free>> info(
      EVP_PKEY2PKCS8(key));
  if (info == nullptr) return std::nullopt;
  pair.private_key = Secret(static_cast<std::size_t>(i2d_PKCS8_PRIV_KEY_INFO(info.get(), nullptr)));
  at = pair.private_key.data();
  i2d_PKCS8_PRIV_KEY_INFO(info.get(), &at);
  return pair;
}

openssl::Key make_by_openssl(KeySpec spec) {
  switch (row_of(spec).form) {
    case KeyForm::kRsa:
      return openssl::Key(
          EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", static_cast<std::size_t>(row_of(spec).bits)));
    case KeyForm::kEdwards:
      return openssl::Key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"));
    default:
      return openssl::Key(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", PublicKey::curve_name(spec)));
  }
}

}  // namespace

Result<DataKeyPair> DataKeyPairMaker::generate(const Inside& inside, KeySpec spec) {
  return link_.profile().data_key_pairs == DataKeyPairs::kMadeInToken
             ? generate_in_token(inside, spec)
             : generate_in_service(inside, spec);
}

/// On a session of its own: those that derive message keys are not held up while primes are sought.
Result<DataKeyPair> DataKeyPairMaker::generate_in_token(const Inside& inside, KeySpec spec) {
  const PairTemplates templates = data_key_pair_templates(spec);
  const auto mechanism = pkcs11::Mechanism::plain(find_kind(row_of(spec).form)->generation);
  std::vector<CK_ATTRIBUTE_TYPE> types;
  if (row_of(spec).form == KeyForm::kRsa) {
    for (const RsaPart& part : kRsaParts) types.push_back(part.type);
  } else {
    types.push_back(CKA_VALUE);
  }
  link_.objects().count_made(2);
  PublicKeyPtr public_key;
  const auto shown = link_.once([&](pkcs11::Session& session) -> pkcs11::Result<Values> {
    auto made = [&] {
      const auto lock = objects_.making();
      return pkcs11::generate_key_pair(session, mechanism, templates.public_key,
                                       templates.private_key);
    }();
    if (!made) return made.error();
    auto values = pkcs11::get_attributes(session, made->private_key, types);
    auto half = read_public_key(session, spec, made->public_key);
    // What does not go now goes with its session.
    static_cast<void>(pkcs11::destroy_object(session, made->private_key));
    static_cast<void>(pkcs11::destroy_object(session, made->public_key));
    if (!values) return values.error();
    if (!half) return half.error();
    public_key = *half;
    for (const auto& value : *values) {
      if (value.shown != pkcs11::Shown::kShown) {
        return pkcs11::Error(CKR_ATTRIBUTE_SENSITIVE, "C_GetAttributeValue",
                             "the token does not let its session keys out: "
                             "keys.data_key_pairs = \"service\"");
      }
    }
    return values;
  });
  if (!shown) {
    return guard_.fail(inside, shown.error(), "making a data key pair", Repeatable::kNo);
  }
  const openssl::QuietErrors quiet;
  const openssl::Key key = private_key(spec, *shown, *public_key);
  const ByteView spki = public_key->spki();
  auto pair = encode(key.get(), Bytes(spki.begin(), spki.end()));
  if (!pair) return internal("the token's data key pair is none");
  return std::move(*pair);
}

Result<DataKeyPair> DataKeyPairMaker::generate_in_service(const Inside& inside, KeySpec spec) {
  constexpr std::size_t kSeed = 48;
  Secret seed(kSeed);
  const auto drawn = link_.random({seed.data(), seed.size()});
  if (!drawn) return guard_.fail(inside, drawn.error(), "drawing a seed");
  RAND_add(seed.data(), static_cast<int>(seed.size()), static_cast<double>(seed.size()));
  const openssl::QuietErrors quiet;
  const openssl::Key key = make_by_openssl(spec);
  auto pair = encode(key.get(), std::nullopt);
  if (!pair) return internal("OpenSSL made no data key pair");
  return std::move(*pair);
}

}  // namespace keyhold::token

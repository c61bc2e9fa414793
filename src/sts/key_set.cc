#include "sts/key_set.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <optional>

#include "base/json.h"
#include "sts/base64url.h"

namespace keyhold::sts {
namespace {

constexpr std::string_view kRs256 = "RS256";
constexpr std::string_view kEs256 = "ES256";
constexpr std::size_t kCoordinate = 32;  // bytes of P-256
constexpr int kMinRsaBits = 2048;

template <typename T, void (*release)(T*)>
struct Releaser {
  void operator()(T* value) const { release(value); }
};
using BignumPtr = std::unique_ptr<BIGNUM, Releaser<BIGNUM, BN_free>>;
using BuilderPtr = std::unique_ptr<OSSL_PARAM_BLD, Releaser<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free>>;
using ParamsPtr = std::unique_ptr<OSSL_PARAM, Releaser<OSSL_PARAM, OSSL_PARAM_free>>;
using KeyContextPtr = std::unique_ptr<EVP_PKEY_CTX, Releaser<EVP_PKEY_CTX, EVP_PKEY_CTX_free>>;
using DigestContextPtr = std::unique_ptr<EVP_MD_CTX, Releaser<EVP_MD_CTX, EVP_MD_CTX_free>>;
using SignaturePtr = std::unique_ptr<ECDSA_SIG, Releaser<ECDSA_SIG, ECDSA_SIG_free>>;

std::string text_of(const json::Value& object, std::string_view name) {
  const auto member = object.member(name);
  return std::string(member ? member->string().value_or("") : "");
}

std::shared_ptr<EVP_PKEY> make_key(const char* type, OSSL_PARAM_BLD* builder) {
  const ParamsPtr params(OSSL_PARAM_BLD_to_param(builder));
  const KeyContextPtr context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (!params || !context || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
    return nullptr;
  }
  return {key, EVP_PKEY_free};
}

std::shared_ptr<EVP_PKEY> rsa_key(const json::Value& jwk) {
  const auto modulus = from_base64url(text_of(jwk, "n"));
  const auto exponent = from_base64url(text_of(jwk, "e"));
  if (!modulus || !exponent || modulus->empty() || exponent->empty()) return nullptr;
  const BignumPtr n(BN_bin2bn(modulus->data(), static_cast<int>(modulus->size()), nullptr));
  const BignumPtr e(BN_bin2bn(exponent->data(), static_cast<int>(exponent->size()), nullptr));
  const BuilderPtr builder(OSSL_PARAM_BLD_new());
  if (!n || !e || !builder || BN_num_bits(n.get()) < kMinRsaBits ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
      OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
    return nullptr;
  }
  return make_key("RSA", builder.get());
}

std::shared_ptr<EVP_PKEY> p256_key(const json::Value& jwk) {
  const auto x = from_base64url(text_of(jwk, "x"));
  const auto y = from_base64url(text_of(jwk, "y"));
  if (text_of(jwk, "crv") != "P-256" || !x || !y || x->size() != kCoordinate ||
      y->size() != kCoordinate) {
    return nullptr;
  }
  Bytes point{0x04};  // uncompressed
  append(point, *x);
  append(point, *y);
  const BuilderPtr builder(OSSL_PARAM_BLD_new());
  if (!builder ||
      OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, "P-256", 0) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                       point.size()) != 1) {
    return nullptr;
  }
  return make_key("EC", builder.get());
}

/// RFC 7518 section 3.4 has the two numbers one after the other; OpenSSL wants them in DER.
std::optional<Bytes> to_der(ByteView signature) {
  if (signature.size() != 2 * kCoordinate) return std::nullopt;
  const SignaturePtr parts(ECDSA_SIG_new());
  BIGNUM* r = BN_bin2bn(signature.data(), kCoordinate, nullptr);
  BIGNUM* s = BN_bin2bn(signature.data() + kCoordinate, kCoordinate, nullptr);
  if (!parts || r == nullptr || s == nullptr || ECDSA_SIG_set0(parts.get(), r, s) != 1) {
    BN_free(r);
    BN_free(s);
    return std::nullopt;
  }
  std::uint8_t* encoded = nullptr;
  const int size = i2d_ECDSA_SIG(parts.get(), &encoded);
  if (size <= 0) return std::nullopt;
  Bytes der(encoded, encoded + size);
  OPENSSL_free(encoded);
  return der;
}

}  // namespace

Result<KeySet> KeySet::parse(std::string_view text) {
  Bytes copy(text.begin(), text.end());
  const auto document = json::Document::parse(copy);
  const auto keys = document ? document->root().member("keys") : std::nullopt;
  if (!keys) return Error(ErrorCode::kValidation, "the key set is not a JSON Web Key Set");
  KeySet set;
  for (std::size_t i = 0; i < keys->size(); ++i) {
    const json::Value jwk = keys->element(i);
    const std::string kid = text_of(jwk, "kid");
    const std::string use = text_of(jwk, "use");
    const std::string type = text_of(jwk, "kty");
    if (kid.empty() || (!use.empty() && use != "sig")) continue;
    Key key;
    key.algorithm = type == "RSA" ? kRs256 : kEs256;
    const std::string stated = text_of(jwk, "alg");
    if (!stated.empty() && stated != key.algorithm) continue;
    if (type == "RSA") key.key = rsa_key(jwk);
    if (type == "EC") key.key = p256_key(jwk);
    if (key.key) set.keys_[kid] = std::move(key);
  }
  if (set.keys_.empty()) {
    return Error(ErrorCode::kValidation, "the key set has no key for RS256 or ES256");
  }
  return set;
}

bool KeySet::verifies(std::string_view kid, std::string_view algorithm,
                      std::string_view signed_text, ByteView signature) const {
  const auto found = keys_.find(kid);
  if (found == keys_.end() || found->second.algorithm != algorithm) return false;
  std::optional<Bytes> encoded(Bytes(signature.begin(), signature.end()));
  if (algorithm == kEs256) encoded = to_der(signature);
  if (!encoded) return false;
  const DigestContextPtr context(EVP_MD_CTX_new());
  const ByteView text = as_bytes(signed_text);
  return context &&
         EVP_DigestVerifyInit(context.get(), nullptr, EVP_sha256(), nullptr,
                              found->second.key.get()) == 1 &&
         EVP_DigestVerify(context.get(), encoded->data(), encoded->size(), text.data(),
                          text.size()) == 1;
}

}  // namespace keyhold::sts

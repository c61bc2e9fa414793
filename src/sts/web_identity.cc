#include "sts/web_identity.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <array>
#include <optional>
#include <span>

#include "base/base64.h"

namespace keyhold::sts {
namespace {

constexpr std::string_view kRs256 = "RS256";
constexpr std::string_view kEs256 = "ES256";
constexpr std::string_view kScheme = "https://";
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

/// RFC 4648 section 5, without padding, as JSON Web Tokens have it.
std::optional<Bytes> from_base64url(std::string_view text) {
  std::string plain(text);
  for (char& c : plain) {
    if (c == '+' || c == '/' || c == '=') return std::nullopt;
    if (c == '-') c = '+';
    if (c == '_') c = '/';
  }
  plain.append((4 - plain.size() % 4) % 4, '=');
  return from_base64(plain);
}

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

/// A token's three parts, the first two still encoded.
struct TokenParts {
  std::string_view header;
  std::string_view claims;
  std::string_view signed_text;
  Bytes signature;
};

std::optional<TokenParts> split(std::string_view token) {
  const std::size_t first = token.find('.');
  if (first == std::string_view::npos) return std::nullopt;
  const std::size_t second = token.find('.', first + 1);
  if (second == std::string_view::npos || token.find('.', second + 1) != std::string_view::npos) {
    return std::nullopt;
  }
  auto signature = from_base64url(token.substr(second + 1));
  if (!signature) return std::nullopt;
  return TokenParts{token.substr(0, first), token.substr(first + 1, second - first - 1),
                    token.substr(0, second), std::move(*signature)};
}

/// A JSON object in base64url; `text` keeps what the document points into.
std::optional<json::Document> decode_object(std::string_view encoded, Bytes& text) {
  auto bytes = from_base64url(encoded);
  if (!bytes) return std::nullopt;
  text = std::move(*bytes);
  auto document = json::Document::parse(text);
  if (!document || document->root().type() != json::Value::Type::kObject) return std::nullopt;
  return std::move(*document);
}

std::vector<std::string> audiences_of(const json::Value& claims) {
  const auto audience = claims.member("aud");
  std::vector<std::string> all;
  if (!audience) return all;
  if (const auto one = audience->string()) all.emplace_back(*one);
  if (audience->type() == json::Value::Type::kArray) {
    for (std::size_t i = 0; i < audience->size(); ++i) {
      all.emplace_back(audience->element(i).string().value_or(""));
    }
  }
  return all;
}

std::optional<TimePoint> instant_of(const json::Value& claims, std::string_view name) {
  const auto member = claims.member(name);
  const auto seconds = member ? member->number() : std::nullopt;
  // Beyond that is no date, and no number of milliseconds either.
  constexpr double kLatest = 253402300799.0;
  if (!seconds || !(*seconds >= 0) || *seconds > kLatest) return std::nullopt;
  return TimePoint(std::chrono::seconds(static_cast<std::int64_t>(*seconds)));
}

Fault invalid_token() {
  return {FaultCode::kInvalidIdentityToken,
          "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access "
          "Token)"};
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

std::string_view Provider::host_and_path() const {
  std::string_view text = issuer;
  if (text.starts_with(kScheme)) text.remove_prefix(kScheme.size());
  return text;
}

std::string Provider::arn() const {
  std::string arn = "arn:aws:iam::" + account + ":oidc-provider/";
  return arn.append(host_and_path());
}

std::string claimed_issuer(std::string_view token) {
  const auto parts = split(token);
  Bytes text;
  const auto claims = parts ? decode_object(parts->claims, text) : std::nullopt;
  return claims ? text_of(claims->root(), "iss") : std::string();
}

Answer<WebIdentity> verify_web_identity(std::string_view token, const Provider& provider,
                                        TimePoint now) {
  if (token.size() > kMaxWebIdentityToken) return invalid_token();
  const auto parts = split(token);
  if (!parts) return invalid_token();
  Bytes header_text;
  Bytes claims_text;
  const auto header = decode_object(parts->header, header_text);
  const auto claims = decode_object(parts->claims, claims_text);
  if (!header || !claims) return invalid_token();
  // A header that must be understood is not: RFC 7515 section 4.1.11.
  if (header->root().member("crit")) return invalid_token();
  const std::string kid = text_of(header->root(), "kid");
  if (!provider.keys.contains(kid)) {
    return Fault{FaultCode::kInvalidIdentityToken,
                 "Couldn't retrieve verification key from your identity provider"};
  }
  if (!provider.keys.verifies(kid, text_of(header->root(), "alg"), parts->signed_text,
                              parts->signature)) {
    return Fault{FaultCode::kInvalidIdentityToken,
                 "Provided Token is not a valid token: its signature does not match"};
  }

  const json::Value root = claims->root();
  WebIdentity identity;
  identity.issuer = text_of(root, "iss");
  identity.subject = text_of(root, "sub");
  if (identity.issuer != provider.issuer) {
    return Fault{FaultCode::kInvalidIdentityToken, "The issuer of the token is another one"};
  }
  const auto expires_at = instant_of(root, "exp");
  if (!expires_at) return invalid_token();
  if (*expires_at <= now) {
    return Fault{FaultCode::kExpiredToken,
                 "Token expired: current date/time must be before the "
                 "expiration date/time"};
  }
  const auto not_before = instant_of(root, "nbf");
  if ((root.member("nbf") && !not_before) ||
      (not_before && *not_before > now + kProviderClockWindow)) {
    return Fault{FaultCode::kIdpRejectedClaim, "The token is not valid yet"};
  }
  const auto audiences = audiences_of(root);
  const auto known = std::ranges::find_if(audiences, [&](const std::string& audience) {
    return std::ranges::find(provider.audiences, audience) != provider.audiences.end();
  });
  if (known == audiences.end()) {
    return Fault{FaultCode::kInvalidIdentityToken, "Incorrect token audience"};
  }
  if (identity.subject.empty()) {
    return Fault{FaultCode::kIdpRejectedClaim, "The token names no subject"};
  }
  identity.audience = *known;
  return identity;
}

}  // namespace keyhold::sts

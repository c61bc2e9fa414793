#include "sts/web_identity.h"

#include <algorithm>
#include <optional>

#include "base/json.h"
#include "sts/base64url.h"

namespace keyhold::sts {
namespace {

constexpr std::string_view kScheme = "https://";

std::string text_of(const json::Value& object, std::string_view name) {
  const auto member = object.member(name);
  return std::string(member ? member->string().value_or("") : "");
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
  const auto keys = provider.keys->keys_for(kid);
  if (!keys) return keys.error();
  if (!(*keys)->contains(kid)) {
    return Fault{FaultCode::kInvalidIdentityToken,
                 "Couldn't retrieve verification key from your identity provider"};
  }
  if (!(*keys)->verifies(kid, text_of(header->root(), "alg"), parts->signed_text,
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
    return Fault{FaultCode::kExpiredIdentityToken,
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

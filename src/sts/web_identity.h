// Tokens of OpenID Connect providers, verified: who a provider says is calling.
// https://datatracker.ietf.org/doc/html/rfc7519, https://datatracker.ietf.org/doc/html/rfc7517
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "base/snapshot.h"
#include "sts/fault.h"

typedef struct evp_pkey_st EVP_PKEY;  // NOLINT(modernize-use-using): OpenSSL's own declaration

namespace keyhold::sts {

/// The public keys of a provider, by `kid`: RSA keys for RS256, P-256 keys for ES256.
class KeySet {
 public:
  /// Reads a JSON Web Key Set. Keys of other kinds and uses are left out; kValidation if nothing is
  /// left, or the text is none.
  static Result<KeySet> parse(std::string_view text);

  /// Whether the key `kid` made this signature with `algorithm`, which is `RS256` or `ES256`.
  /// Any other algorithm, `none` among them, has no key.
  bool verifies(std::string_view kid, std::string_view algorithm, std::string_view signed_text,
                ByteView signature) const;
  bool contains(std::string_view kid) const { return keys_.find(kid) != keys_.end(); }

 private:
  struct Key {
    std::string algorithm;
    std::shared_ptr<EVP_PKEY> key;
  };
  std::map<std::string, Key, std::less<>> keys_;
};

/// A provider that an account trusts.
struct Provider {
  std::string account;
  std::string issuer;                  ///< `https://oidc.example.com/cluster`, as `iss` has it
  std::vector<std::string> audiences;  ///< one of them must be in `aud`
  KeySet keys;

  /// The issuer without its scheme, as AWS names providers and their condition keys.
  std::string_view host_and_path() const;
  std::string arn() const;  ///< `arn:aws:iam::<account>:oidc-provider/<host and path>`
};

/// What a verified token says.
struct WebIdentity {
  std::string issuer;
  std::string subject;
  std::string audience;  ///< the one that the provider's list has
};

/// How far a provider's clock may be from ours.
inline constexpr std::chrono::minutes kProviderClockWindow{5};
inline constexpr std::size_t kMaxWebIdentityToken = 20'000;  ///< AssumeRoleWithWebIdentity

/// The issuer that a token claims, unverified; empty if it is no token.
std::string claimed_issuer(std::string_view token);

/// kInvalidIdentityToken for what is no token, another algorithm, an unknown key or a wrong
/// signature; kExpiredToken; kIdpRejectedClaim for a claim that does not fit.
Answer<WebIdentity> verify_web_identity(std::string_view token, const Provider& provider,
                                        TimePoint now);

/// All providers, replaced whole.
using Providers = std::vector<Provider>;
using ProviderSnapshot = Snapshot<Providers>;

}  // namespace keyhold::sts

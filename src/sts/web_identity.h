// Tokens of OpenID Connect providers, verified: who a provider says is calling.
// https://datatracker.ietf.org/doc/html/rfc7519
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/snapshot.h"
#include "sts/fault.h"
#include "sts/key_source.h"

namespace keyhold::sts {

/// A provider that an account trusts.
struct Provider {
  std::string account;
  std::string issuer;                  ///< `https://oidc.example.com/cluster`, as `iss` has it
  std::vector<std::string> audiences;  ///< one of them must be in `aud`
  std::shared_ptr<KeySource> keys;     ///< never null

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
/// signature; kExpiredIdentityToken; kIdpRejectedClaim for a claim that does not fit;
/// kIdpCommunicationError if the provider's keys are not to be had now.
Answer<WebIdentity> verify_web_identity(std::string_view token, const Provider& provider,
                                        TimePoint now);

/// All providers, replaced whole.
using Providers = std::vector<Provider>;
using ProviderSnapshot = Snapshot<Providers>;

}  // namespace keyhold::sts

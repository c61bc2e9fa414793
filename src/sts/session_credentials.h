// Temporary credentials: made, sealed into a security token, and taken out of it again.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "base/secret.h"
#include "iam/credential.h"
#include "iam/digest.h"
#include "iam/identity_directory.h"
#include "iam/session_revocations.h"

namespace keyhold::sts {

/// What seals security tokens: a service key in the token, which nothing else can open them with.
class TokenSealer {
 public:
  virtual ~TokenSealer() = default;
  /// Names the key that seals, in every token.
  virtual std::array<std::uint8_t, 8> key_id() const = 0;
  virtual Result<Bytes> seal(ByteView plaintext, ByteView aad) = 0;
  virtual Result<Secret> open(ByteView sealed, ByteView aad) = 0;
};

/// What a session is made of.
struct SessionGrant {
  std::shared_ptr<const iam::Identity> role;
  std::string session_name;
  std::optional<std::string> policy{};  ///< the session policy, as it was given
  std::vector<iam::Tag> tags{};
  std::string provider{};  ///< of a web identity
  std::chrono::seconds duration{};
};

/// Temporary credentials as their owner gets to see them.
struct IssuedCredentials {
  std::string access_key_id;  ///< `ASIA…`
  Secret secret_access_key;
  std::string session_token;
  iam::Principal principal;
  TimePoint expires_at;
};

/// A security token is base64 of: version (1) · id of the service key (8 bytes) · what the sealer
/// makes of the session, in JSON. The AAD is a domain string, version, key id and access key id, so
/// that a token opens for its own access key alone.
///
/// Nothing of a session is stored. What was opened is kept by the token's SHA-256, bounded.
class SessionCredentials {
 public:
  /// All must outlive it. `known` is for session policies.
  SessionCredentials(TokenSealer& sealer, const iam::IdentityDirectory& identities,
                     const iam::SessionRevocations& revocations, Random& random,
                     iam::KnowsKey known);

  Result<IssuedCredentials> issue(const SessionGrant& grant, TimePoint now);

  iam::KnowsKey knows_key() const { return knows_key_; }

  /// The credential of that access key id that the token holds, expired or not. Null for a token
  /// that was not made here, was changed, belongs to another access key, or was revoked, and for a
  /// role that is no more.
  std::shared_ptr<const iam::Credential> find(std::string_view access_key_id,
                                              std::string_view token) const;

 private:
  static constexpr std::size_t kStripes = 16;
  static constexpr std::size_t kMaxCached = 1024;  ///< of a stripe
  using Entry = std::pair<iam::Sha256, std::shared_ptr<const iam::Credential>>;
  struct DigestHash {
    std::size_t operator()(const iam::Sha256& digest) const;
  };

  /// A thread keeps to one of them, so that up to kStripes threads never meet.
  struct alignas(64) Stripe {
    std::mutex mutex;
    std::list<Entry> cached;  ///< the one used last first
    std::unordered_map<iam::Sha256, std::list<Entry>::iterator, DigestHash> places;

    std::shared_ptr<const iam::Credential> find(const iam::Sha256& digest);
    void insert(const iam::Sha256& digest, std::shared_ptr<const iam::Credential> credential);
  };

  Stripe& stripe() const;
  std::shared_ptr<const iam::Credential> open(std::string_view access_key_id,
                                              std::string_view token) const;
  Bytes aad(std::string_view access_key_id) const;

  TokenSealer& sealer_;
  const iam::IdentityDirectory& identities_;
  const iam::SessionRevocations& revocations_;
  Random& random_;
  iam::KnowsKey knows_key_;
  mutable std::array<Stripe, kStripes> stripes_;
};

}  // namespace keyhold::sts

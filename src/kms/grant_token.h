// Grant tokens: what CreateGrant gives so that its grant can be used at once (developer guide,
// "Grant token"). One says which grant is meant and nothing else: whom the grant is for and what it
// allows is looked up and judged as if no token had come.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "store/store.h"
#include "token/sealer.h"
#include "token/sharded_lru.h"

namespace keyhold::kms {

struct GrantReference {
  std::string grant_id;
  std::string key_id;
  std::string issuing_account;
  TimePoint expires_at;
};

/// Safe from many threads.
class GrantTokens {
 public:
  /// How long a token is one: far longer than a change takes to be seen everywhere.
  static constexpr milliseconds kLifetime = std::chrono::hours(24);

  /// Tokens are sealed under `service_key`, so they are good on every node and after a restart.
  GrantTokens(token::Token& token, token::Material service_key, const Clock& clock, Random& random);

  /// Another one each time. URL-safe base64 without padding.
  Result<std::string> issue(const store::GrantRecord& grant);

  /// kInvalidGrantToken for what was not issued here. An expired one reads as any other: who asks
  /// decides what that means. Tokens that were read before cost no work in the token.
  Result<std::shared_ptr<const GrantReference>> read(std::string_view text);

 private:
  token::Sealer sealer_;
  const Clock& clock_;
  token::ShardedLru<std::string, std::shared_ptr<const GrantReference>> known_;  // by SHA-256
};

Error invalid_grant_token();

}  // namespace keyhold::kms

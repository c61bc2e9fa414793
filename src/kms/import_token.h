// Import tokens: what GetParametersForImport gives together with a wrapping key, and what says
// under which one key material comes. A token is good for one KMS key and for a day.
#pragma once

#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "kms/key.h"
#include "store/store.h"
#include "token/sealer.h"

namespace keyhold::kms {

class ImportTokens {
 public:
  /// "These values are valid for 24 hours" (GetParametersForImport).
  static constexpr milliseconds kLifetime = std::chrono::hours(24);

  /// Tokens are sealed under `service_key`, so they are good on every node and after a restart.
  ImportTokens(token::Token& token, token::Material service_key, const Clock& clock, Random& random)
      : sealer_(token, std::move(service_key), random), clock_(clock) {}

  /// Of the wrapping key, which was made for that key and expires with the token.
  Result<Bytes> issue(const Key& key, const store::WrappingKeyRecord& wrapping_key);

  /// The wrapping key that is meant. kInvalidImportToken for what was not issued here for that key,
  /// kExpiredImportToken for what is no longer good; neither has a message.
  Result<token::WrappingKey> read(const Key& key, ByteView import_token);

 private:
  token::Sealer sealer_;
  const Clock& clock_;
};

}  // namespace keyhold::kms

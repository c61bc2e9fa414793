// Who signed a request: verification of Signature Version 4 as AWS does it in front of KMS.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "iam/credential.h"
#include "iam/region_policy.h"
#include "iam/signed_request.h"
#include "iam/signing_key_cache.h"

namespace keyhold::iam {

/// How far the clocks of client and service may be apart, to the second, either way.
inline constexpr std::chrono::minutes kClockWindow{5};

/// The author of a verified request.
struct Caller {
  std::shared_ptr<const Credential> credential;
  std::string region;          ///< of the credential scope
  std::string signed_headers;  ///< lower-case names, ascending, joined by `;`
  TimePoint signed_at;
};

/// Verifies requests of any number of threads at once. Stricter than the signature alone: every
/// x-amz-* header that is there must be signed, headers that decide something must not come twice,
/// the hash of the body is always computed, and presigned queries are not taken.
class SigV4Verifier {
 public:
  /// `credentials` must outlive the verifier. `service` is the name in the credential scope.
  SigV4Verifier(const CredentialSource& credentials, RegionPolicy regions,
                std::string service = "kms");

  /// The caller, or the error AWS answers with: kMissingAuthenticationToken, kIncompleteSignature,
  /// kInvalidSignature, kUnrecognizedClient or kExpiredToken. The checks' order is AWS's: syntax of
  /// the header, of the date, scope, signed headers, clock, access key and security token,
  /// signature, expiry. `now` is the machine's time,
  /// never the domain's.
  Result<Caller> verify(const SignedRequest& request, TimePoint now) const;

  /// Wipes what was derived from that access key's secret. To be called when a credential is
  /// disabled or changed, after its source answers so.
  void forget(std::string_view access_key_id) { cache_.forget(access_key_id); }

  /// How many signing keys are held, for tests and metrics.
  std::size_t cached_signing_keys() const { return cache_.size(); }

 private:
  const CredentialSource& credentials_;
  RegionPolicy regions_;
  std::string service_;
  Secret dummy_signing_key_;  ///< random; stands in for an access key that may not call
  mutable SigningKeyCache cache_;
};

}  // namespace keyhold::iam

// Access keys, and where they are looked up.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/secret.h"
#include "iam/principal.h"

namespace keyhold::iam {

class PolicyDocument;

enum class CredentialStatus : std::uint8_t { kActive, kDisabled };

/// What temporary credentials have beside an access key.
struct Session {
  TimePoint issued_at;
  TimePoint expires_at;
  std::vector<std::shared_ptr<const PolicyDocument>> policies;  ///< the session's own
};

struct Credential {
  std::string access_key_id;
  Secret secret_access_key;
  Principal principal;
  CredentialStatus status = CredentialStatus::kActive;
  std::uint64_t generation = 0;      ///< grows with every change of the stored credential
  std::optional<Session> session{};  ///< of temporary credentials
};

/// Answers who an access key id belongs to; asked on every request by many threads at once, so an
/// implementation takes no lock that all cores share.
class CredentialSource {
 public:
  virtual ~CredentialSource() = default;
  /// The credential in any status, or null. A credential that changes becomes another object: the
  /// same pointer means the same credential for as long as it is held.
  virtual std::shared_ptr<const Credential> find(std::string_view access_key_id) const = 0;
  /// The temporary credential of that id that the security token holds, expired or not; null if
  /// the two do not belong together, or the credential was revoked. A source without temporary
  /// credentials has none.
  virtual std::shared_ptr<const Credential> find_temporary(std::string_view /*access_key_id*/,
                                                           std::string_view /*token*/) const {
    return nullptr;
  }
};

/// The alphabet of RFC 4648's base32, in which AWS writes its ids.
inline constexpr std::string_view kBase32Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// `AKIA` and 16 random characters of the base32 alphabet.
std::string draw_access_key_id(Random& random);

/// 40 random characters of the base64 alphabet.
Secret draw_secret_access_key(Random& random);

}  // namespace keyhold::iam

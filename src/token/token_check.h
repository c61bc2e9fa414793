// A token that nobody has written a profile for: what it is, what it can do for KMS, what it must
// not do, and what its profile has to say. Everything is tried on session keys that are gone
// afterwards; nothing of what is in the token is read, changed or used.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "base/secret.h"
#include "token/admission.h"
#include "token/capability.h"
#include "token/known_answers.h"
#include "token/profile.h"
#include "token/token.h"

namespace keyhold::token {

/// What a token's own behaviour says that its profile should be.
struct MeasuredProfile {
  Derivation derivation = Derivation::kNone;
  std::vector<AttributeType> template_drop;
  std::vector<ReturnCode> decrypt_bad_codes;
  /// But for those that mean a bad wrapped key everywhere.
  std::vector<ReturnCode> unwrap_bad_codes;
  /// Sessions that could be open at once, kMostSessions if that was no limit.
  std::size_t sessions = 0;
  OaepPadding oaep_padding = OaepPadding::kRemovedInToken;
  DataKeyPairs data_key_pairs = DataKeyPairs::kMadeInService;
  GcmIv gcm_iv = GcmIv::kFromCaller;
  HmacKeyType hmac_key_type = HmacKeyType::kGenericSecret;
};
/// More than these are not tried: no service needs them.
inline constexpr std::size_t kMostSessions = 64;

/// A way to bring key material of a kind, and where it is unwrapped.
struct ImportWay {
  MaterialKind kind;
  WrappingAlgorithm algorithm;
  Capability seen;
};

struct TokenCheck {
  TokenIdentity identity;
  std::string firmware;  ///< "2.6"
  std::string cryptoki;  ///< "2.40"
  MeasuredProfile measured;
  AdmissionReport admission;
  std::string refusal;  ///< why it is not admitted; empty: it is
  std::vector<KnownAnswer> known_answers;
  Capabilities capabilities;
  /// What wrapped custody asks of it.
  std::vector<AdmissionAct> wrapping;
  /// Whether it could hold keys of a spec so; of the secret keys that it serves.
  std::map<KeySpec, Capability> wrapped_kinds;
  /// Whether it refuses RSA blocks and wrapped keys that nobody made, and by which codes.
  std::vector<AdmissionAct> bad_input;
  /// What to do about what was seen, one sentence each.
  std::vector<std::string> advice;
  std::string draft;  ///< a profile in TOML, each line with its reason

  bool is_admitted() const { return refusal.empty(); }
  /// What it serves of KMS, and whether: "KeySpec RSA_2048, SIGN_VERIFY".
  std::vector<std::pair<std::string, Result<void>>> features() const;
  /// Each kind of key that it serves, under each wrapping algorithm that AWS allows for it.
  std::vector<ImportWay> imports() const;
};

/// A token of a module, for whom no profile selects one yet.
struct FoundToken {
  std::string label;
  std::string serial;
  std::string manufacturer;
  std::string model;
};
/// The initialised tokens of the profile's module. kValidation with a sentence, and advice, if the
/// module cannot be loaded or does not start.
Result<std::vector<FoundToken>> list_tokens(const Profile& profile);

/// Logs in once or twice, and never again after a PIN that was refused. kValidation with a
/// sentence, and advice, if the token cannot be reached.
Result<TokenCheck> check_token(const Profile& profile, const Secret& pin, ProbedSizes sizes,
                               Random& random);

}  // namespace keyhold::token

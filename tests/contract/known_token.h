// The token of this process, which tests/contract/on_token.py made, and what is known of it:
// its profile in hsm-config/ and its table in tests/golden/tokens/.
#pragma once

#include <map>
#include <string>

#include "base/key_spec.h"
#include "base/secret.h"
#include "token/profile.h"
#include "token/token.h"

namespace keyhold::token::contract {

class KnownToken {
 public:
  /// Throws where the environment names none.
  static const KnownToken& of_process();

  /// That of its profile and of its golden files: "kryoptic-1.5".
  const std::string& name() const { return name_; }
  const Profile& profile() const { return profile_; }
  Secret pin() const;

  /// Why it is not admitted; empty if it is.
  const std::string& refusal() const { return refusal_; }

  /// Whether a service could work with it, its admission aside: it serves symmetric keys.
  bool is_usable() const { return lack(MaterialKind{}).empty(); }

  /// Whether it wraps keys of a spec and gets the same ones back.
  bool holds_wrapped(KeySpec spec) const;

  /// Whether a secret key takes the place of another that has its CKA_ID, in a success. No table
  /// tells that, since it takes token objects to see.
  bool merges_secret_keys() const { return name_.starts_with("nss-"); }

  /// Whether it calls a key that was unwrapped CKA_ALWAYS_SENSITIVE, which comes from outside
  /// (PKCS#11 2.40, section 4.9). No table tells that either.
  bool calls_unwrapped_always_sensitive() const { return name_.starts_with("kryoptic-"); }

  /// Whether it shows how long an AES key is that it unwrapped.
  bool shows_unwrapped_aes_lengths() const { return !name_.starts_with("softhsm-"); }

  // What it lacks, as the table has it; empty where it lacks nothing.
  std::string lack(KeySpec spec, Algorithm algorithm) const;
  /// For all algorithms of the kind.
  std::string lack(MaterialKind kind) const;
  /// For such a material under such an algorithm.
  std::string lack(MaterialKind kind, WrappingAlgorithm algorithm) const;
  /// Where it is done: "token", "service" or "nowhere".
  std::string place(KeySpec spec, Algorithm algorithm) const;
  std::string place(MaterialKind kind, WrappingAlgorithm algorithm) const;

 private:
  KnownToken();
  const std::string& row(const std::string& name) const;
  static std::string lack_of(const std::string& row);

  std::string name_;
  Profile profile_;
  std::map<std::string, std::string> rows_;  ///< "RSA_2048 RSAES_OAEP_SHA_1" → "token"
  std::string refusal_;
};

}  // namespace keyhold::token::contract

// What a token can do with each kind of key, as it was seen to do: known answers and round trips on
// throwaway session keys, not its list of mechanisms.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/key_spec.h"
#include "token/admission.h"
#include "token/token.h"

namespace keyhold::token {

enum class Place : std::uint8_t {
  kNowhere,
  kToken,
  /// Its half in the token and its padding removed outside, which the profile must allow.
  kHost,
};

/// Of forms whose keys take long to make: whether one size is tried, and the others are as the
/// token says, or each.
enum class ProbedSizes : std::uint8_t { kOne, kEach };

/// A row: where an algorithm is done for keys of a spec, or what lacks.
struct Capability {
  Place place = Place::kNowhere;
  /// Completes "… is not supported: ", as "the token has no CKM_RSA_PKCS_OAEP with SHA-256".
  std::string lacks;
  std::string said;  ///< the token's own words, for the log

  bool operator==(const Capability&) const = default;
};

/// By what a token tells the length of a secret that it unwrapped.
enum class LengthEvidence : std::uint8_t {
  kNone,
  kShown,      ///< CKA_VALUE_LEN
  kByRefusal,  ///< it refuses an HMAC with a key that is shorter than the hash, and no other
};

/// Whether something tells one symmetric key material from another, when it comes again.
enum class Recognition : std::uint8_t {
  kByFingerprint,
  kNone,  ///< it neither derives nor encrypts under a given IV
};

/// How key material from outside is unwrapped.
struct ImportCapability {
  /// Of RSA blocks padded so, or what lacks.
  Capability sha1;
  Capability sha256;
  /// The CK_MECHANISM_TYPE of AES key unwrapping by RFC 5649; nothing if there is none.
  std::optional<unsigned long> key_unwrapping{};
  LengthEvidence lengths = LengthEvidence::kNone;
  /// Of private keys in PKCS#8, or what lacks; as good as the rest where it cannot be tried.
  Capability rsa_keys{Place::kToken, {}, {}};
  Capability curve_keys{Place::kToken, {}, {}};
  Recognition recognition = Recognition::kByFingerprint;

  const Capability& padding(Algorithm oaep) const {
    return oaep == Algorithm::kRsaesOaepSha1 ? sha1 : sha256;
  }
};

class Capabilities {
 public:
  const ImportCapability& imports() const { return imports_; }
  void set_imports(ImportCapability imports) { imports_ = std::move(imports); }

  const Capability& of(KeySpec spec, Algorithm algorithm) const {
    return rows_.at(place(spec, algorithm));
  }
  void set(KeySpec spec, Algorithm algorithm, Capability capability) {
    rows_.at(place(spec, algorithm)) = std::move(capability);
  }

  /// Takes symmetric keys away where admission has seen that they cannot be served: the probe
  /// leaves them to it.
  void heed(const AdmissionReport& report);

  /// Where an algorithm is done with a material of that custody: what needs the host's help is
  /// nowhere for a key that was made without it.
  Place of(MaterialKind kind, Custody custody, Algorithm algorithm) const;

  /// The custody of a new material: host-staged if one of its algorithms is.
  Custody custody(MaterialKind kind) const;

  /// An algorithm of that kind which is done in the token, for proofs of life; nothing if none is.
  std::optional<Algorithm> proof(MaterialKind kind) const;

  /// As Token's functions of these names.
  Result<void> check_import(MaterialKind kind, WrappingAlgorithm algorithm) const;
  Result<void> check_kind(MaterialKind kind) const;
  /// Where such a material is unwrapped, or what lacks for that.
  Capability import(MaterialKind kind, WrappingAlgorithm algorithm) const;
  Result<void> check_algorithm(MaterialKind kind, Custody custody, Algorithm algorithm) const;

  /// The table in print: a line for each spec and algorithm, and for each way of importing.
  std::string print() const;

 private:
  /// What check_import() complains of.
  struct ImportRefusal {
    std::string_view what;  ///< with `word`, what is not supported
    std::string_view word;
    Capability seen;
  };
  std::optional<ImportRefusal> refuse_import(MaterialKind kind, WrappingAlgorithm algorithm) const;

  static constexpr std::size_t kAlgorithms = static_cast<std::size_t>(Algorithm::kEcdh) + 1;
  static constexpr std::size_t kSpecs = static_cast<std::size_t>(KeySpec::kSm2) + 1;
  static std::size_t place(KeySpec spec, Algorithm algorithm) {
    return static_cast<std::size_t>(spec) * kAlgorithms + static_cast<std::size_t>(algorithm);
  }

  std::array<Capability, kSpecs * kAlgorithms> rows_{};
  ImportCapability imports_{};
};

}  // namespace keyhold::token

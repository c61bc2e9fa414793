// Public keys: their standard form (SubjectPublicKeyInfo, RFC 5280, DER), and what needs no private
// key. Done with OpenSSL and not in the token, which saves the token the work and gives the same
// results (docs/decisions/0003-public-keys-outside-the-token.md).
#pragma once

#include <memory>
#include <optional>

#include "base/algorithm.h"
#include "base/bytes.h"
#include "base/key_spec.h"
#include "base/result.h"

namespace keyhold::token {

/// Immutable, and safe from many threads. The bytes are taken apart when they are first used.
class PublicKey {
 public:
  /// `spki`: as the store has it. Not looked at here; what is no key fails at its first use.
  explicit PublicKey(Bytes spki);
  ~PublicKey();
  PublicKey(const PublicKey&) = delete;
  PublicKey& operator=(const PublicKey&) = delete;

  /// From the parts that tokens show: modulus and exponent, within FIPS 186-5's bounds; the
  /// uncompressed point of a curve; the 32 bytes of an Edwards key; the encoded key of ML-DSA (FIPS
  /// 204, algorithm 22). Nothing for what is not a key of that spec.
  static std::shared_ptr<const PublicKey> of_rsa(KeySpec spec, ByteView modulus, ByteView exponent);
  static std::shared_ptr<const PublicKey> of_point(KeySpec spec, ByteView point);
  static std::shared_ptr<const PublicKey> of_ml_dsa(KeySpec spec, ByteView key);

  /// OpenSSL's name of a spec's curve; null for what is no curve of points.
  static const char* curve_name(KeySpec spec);

  ByteView spki() const { return spki_; }
  /// SHA-256 of the SubjectPublicKeyInfo: the check value of a pair.
  Bytes fingerprint() const;

  /// Whether OpenSSL knows how to verify such signatures.
  static bool can_verify(const AlgorithmRow& algorithm);

  enum class Verdict : std::uint8_t { kValid, kInvalid };
  /// Anything that is not a signature of the message is invalid, malformed ones included.
  Verdict verify(const AlgorithmRow& algorithm, const Message& message, ByteView signature) const;

  /// RSAES-OAEP; nothing if the message is too long or this is no RSA key.
  std::optional<Bytes> encrypt(const AlgorithmRow& algorithm, ByteView message) const;

  /// Of an RSA key: whether the bytes, as a number, are less than its modulus.
  bool below_modulus(ByteView number) const;

  /// ECDH with a key made for the purpose: that key's public point, and the x coordinate. What a
  /// private key that lives in a token is tried against.
  struct Exchange {
    Bytes point;
    Bytes shared;
  };
  std::optional<Exchange> exchange() const;

 private:
  struct Parsed;
  const Parsed* parsed() const;

  const Bytes spki_;
  struct Lazy;
  std::unique_ptr<Lazy> lazy_;
};
using PublicKeyPtr = std::shared_ptr<const PublicKey>;

/// The uncompressed point of a peer's SubjectPublicKeyInfo, for key agreement. Nothing unless it
/// names the spec's curve, the point lies on it, is not at infinity, and the encoding is the one
/// that DER knows: a point off the curve would tell an attacker bits of the private key.
std::optional<Bytes> peer_point(KeySpec spec, ByteView spki);

/// The digest that an algorithm signs: the message itself if it is one, else its hash.
Bytes digest_of(const AlgorithmRow& algorithm, const Message& message);

Bytes sha256(ByteView bytes);

/// r and s, each `width` bytes, as tokens have them → DER SEQUENCE{INTEGER r, INTEGER s}.
Bytes ecdsa_to_der(ByteView r_and_s);

}  // namespace keyhold::token

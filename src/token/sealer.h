// Small secrets at rest (secret access keys), sealed under a service key in the token.
#pragma once

#include "base/bytes.h"
#include "base/random.h"
#include "base/result.h"
#include "base/secret.h"
#include "token/token.h"

namespace keyhold::token {

/// Seals with AES-256-GCM under message keys of one material, as KMS keys encrypt, and with another
/// domain string in the AAD so that neither can pass for the other.
///
/// A sealed value is: version (2) · construction · salt · header tag · IV length · IV · ciphertext
/// ‖ tag; salt and header tag have no bytes in the direct construction. Its AAD is domain string,
/// the bytes before the IV, and the caller's AAD, each behind its length as 32 bits, big-endian.
class Sealer {
 public:
  /// `token` and `random` must outlive it.
  Sealer(Token& token, Material material, Random& random);

  /// `aad` says what the value is and whose (table, primary key, principal, generation): a sealed
  /// value opens only where it was made for.
  Result<Bytes> seal(ByteView plaintext, ByteView aad);

  /// kKmsInternal for a value that was not sealed so: what is at rest is the service's own.
  Result<Secret> open(ByteView sealed, ByteView aad);

 private:
  Token& token_;
  Material material_;
  Random& random_;
};

}  // namespace keyhold::token

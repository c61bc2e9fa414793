// What KMS does with keys that work by themselves: signatures, MACs, key agreement, RSA encryption,
// and the pairs that are made for use outside.
#pragma once

#include <vector>

#include "kms/domain.h"

namespace keyhold::kms {

/// kInvalidKeyUsage with AWS's text, unless the algorithm is one of the key's spec.
Result<void> check_fits(const Key& key, Algorithm algorithm);

/// The algorithms of a key that its token does, in the order in which AWS lists them.
std::vector<Algorithm> usable_algorithms(const token::Token& token, const Key& key);

class NativeOperations {
 public:
  explicit NativeOperations(token::Token& token) : token_(token) {}

  Result<Bytes> sign(const Key& key, Algorithm algorithm, const Message& message);
  Result<void> verify(const Key& key, Algorithm algorithm, const Message& message,
                      ByteView signature);
  /// kKmsInvalidMac (no message) for a MAC that is wrong in value or length, in a time that depends
  /// on its length alone.
  Result<void> verify_mac(const Key& key, Algorithm algorithm, ByteView message, ByteView mac);
  Result<Secret> derive_shared_secret(const Key& key, ByteView peer);
  Result<Bytes> encrypt(const Key& key, Algorithm algorithm, ByteView plaintext);
  Result<Secret> decrypt(const Key& key, Algorithm algorithm, ByteView ciphertext);

 private:
  token::Token& token_;
};

}  // namespace keyhold::kms

// Encryption and decryption of messages under a KMS key's materials, in ciphertext blobs.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "kms/domain.h"

namespace keyhold::kms {

/// Counts how often a material encrypted messages directly, across restarts, and refuses in time.
/// Derived message keys are counted by the token layer and never need this.
class InvocationCounter {
 public:
  /// NIST SP 800-38D section 8.3: at most 2^32 invocations of GCM under one key with random IVs.
  static constexpr std::uint64_t kLimit = std::uint64_t{1} << 32;
  /// Reserved in the store at a time; a crash loses at most this many.
  static constexpr std::uint64_t kBlock = std::uint64_t{1} << 20;

  explicit InvocationCounter(store::Store& store) : store_(store) {}

  /// Counts one invocation. kKmsInvalidState with a hint to rotate when the limit is reached.
  Result<void> count(const Key& key, const KeyMaterial& material);

 private:
  struct Block {
    std::uint64_t used = kBlock;  // a new one begins used up, so that the first call reserves
    std::uint64_t before = 0;     // reserved by earlier blocks, ever
  };

  store::Store& store_;
  std::mutex mutex_;
  std::unordered_map<ObjectName, Block> blocks_;
};

class Messages {
 public:
  Messages(token::Token& token, store::Store& store, Random& random)
      : token_(token), random_(random), invocations_(store) {}

  Result<Encrypted> encrypt(const Key& key, ByteView plaintext, const EncryptionContext& context);
  Result<Decrypted> decrypt(const Key& key, const CiphertextBlob& blob,
                            const EncryptionContext& context);

 private:
  token::Token& token_;
  Random& random_;
  InvocationCounter invocations_;
};

}  // namespace keyhold::kms

// Encryption and decryption of messages under a KMS key's materials, in ciphertext blobs.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>

#include "base/snapshot.h"
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
  /// How many were counted; 0 before the first of this process.
  std::uint64_t counted(const ObjectName& material) const;

 private:
  /// Invocations reserved for this process: `next` up to `end`. Threads take them without a lock.
  struct Block {
    std::atomic<std::uint64_t> next{0};
    std::atomic<std::uint64_t> end{0};
    std::mutex reserving;  // guards the making of the next block
  };
  using Blocks = std::unordered_map<ObjectName, std::shared_ptr<Block>>;

  std::shared_ptr<Block> block_of(const ObjectName& name);
  /// Takes the next invocation of the block; nothing when it is used up.
  static std::optional<std::uint64_t> take(Block& block);
  Result<void> reserve(Block& block, const ObjectName& name);

  store::Store& store_;
  std::mutex adding_;  // guards the making of the next snapshot
  Snapshot<Blocks> blocks_;
};

class Messages {
 public:
  Messages(token::Token& token, store::Store& store, Random& random)
      : token_(token), random_(random), invocations_(store) {}

  Result<Encrypted> encrypt(const Key& key, ByteView plaintext, const EncryptionContext& context);
  Result<Decrypted> decrypt(const Key& key, const CiphertextBlob& blob,
                            const EncryptionContext& context);

  std::uint64_t invocations(const ObjectName& material) const {
    return invocations_.counted(material);
  }

 private:
  token::Token& token_;
  Random& random_;
  InvocationCounter invocations_;
};

}  // namespace keyhold::kms

// Keys that work by themselves, by their materials: opened and proven once, kept, and used.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>

#include "base/clock.h"
#include "base/random.h"
#include "token/capability.h"
#include "token/native_key.h"
#include "token/sharded_lru.h"
#include "token/token.h"
#include "token/token_guard.h"
#include "token/token_objects.h"
#include "token/wrapped_materials.h"

namespace keyhold::token {

/// All functions with an Inside are for threads inside the token; what they promise stands at
/// Token's functions.
class NativeKeys {
 public:
  NativeKeys(TokenLink& link, TokenGuard& guard, TokenObjects& objects, WrappedMaterials& wrapped,
             const Capabilities& capabilities, const Clock& clock, Random& random)
      : link_(link),
        guard_(guard),
        objects_(objects),
        wrapped_(wrapped),
        capabilities_(capabilities),
        clock_(clock),
        random_(random),
        opened_(link.profile().material_cache) {}

  Result<Bytes> sign(const Inside& inside, const Material& material, Algorithm algorithm,
                     const Message& message);
  Result<Secret> decrypt(const Inside& inside, const Material& material, Algorithm algorithm,
                         ByteView ciphertext);
  Result<Secret> agree(const Inside& inside, const Material& material, ByteView point);
  /// In the token, for what cannot be verified outside.
  Result<void> verify(const Inside& inside, const Material& material, Algorithm algorithm,
                      const Message& message, ByteView signature);

  /// Compares the objects of that name with check value and public key, by the proof of life.
  Result<void> check(const Inside& inside, const Material& material);

  void forget(const ObjectName& name) {
    opened_.erase(name);
    wrapped_.forget(name);
  }
  void forget_all() {
    opened_.erase_if([](const auto&, const auto&) { return true; });
  }

 private:
  /// A key whose objects have passed the proof of life in this generation.
  struct Opened {
    Material material;
    KeyObjects objects;
    UnwrappedObjectPtr unwrapped{};  ///< of wrapped custody; these are kept in a cache of their own
    std::atomic<std::int64_t> judged_at{INT64_MIN};
  };
  using OpenedPtr = std::shared_ptr<Opened>;

  pkcs11::Result<std::optional<pkcs11::ObjectHandle>> public_half(
      const Material& material, const ObjectIndex::Handles& candidates);
  Result<OpenedPtr> open(const Inside& inside, const Material& material);
  Result<OpenedPtr> opened(const Inside& inside, const Material& material);
  bool is_current(const Opened& opened, const Material& material) const;
  template <typename Use>
  auto use(const Inside& inside, const Material& material, std::string_view what, const Use& call)
      -> Result<typename decltype(call(std::declval<const Opened&>()))::value_type>;
  pkcs11::Result<std::optional<Secret>> decrypt_with(const Opened& key, Place place,
                                                     const AlgorithmRow& algorithm,
                                                     ByteView ciphertext);
  Error judge(const Inside& inside, const Material& material);

  TokenLink& link_;
  TokenGuard& guard_;
  TokenObjects& objects_;
  WrappedMaterials& wrapped_;
  const Capabilities& capabilities_;
  const Clock& clock_;
  Random& random_;
  ShardedLru<ObjectName, OpenedPtr> opened_;
  std::array<std::mutex, 16> opening_;  ///< so that a key is not proven by many at once
};

}  // namespace keyhold::token

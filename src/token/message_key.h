// A material at work: the keys derived from it that live in this process.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/random.h"
#include "token/construction.h"
#include "token/session_objects.h"
#include "token/token.h"
#include "token/token_link.h"

namespace keyhold::token {

enum class Proof : std::uint8_t { kHolds, kDiffers };

/// The object behind a material's name in this generation, and the two keys each material has once.
class MaterialObject {
 public:
  /// Derives check and header key, where the construction has them. Compares nothing.
  static pkcs11::Result<std::shared_ptr<MaterialObject>> open(TokenLink& link,
                                                              const Material& material,
                                                              pkcs11::ObjectHandle base);

  const Material& material() const { return material_; }
  pkcs11::ObjectHandle base() const { return base_; }
  /// Whether its handles can still be used.
  bool current(const TokenLink& link) const { return link.current(base_); }

  /// A check value for a new material.
  pkcs11::Result<Bytes> make_check_value(TokenLink& link, Random& random) const;
  /// The same for the same material each time.
  pkcs11::Result<Bytes> fingerprint(TokenLink& link) const;
  /// The proof of life: whether the object computes what its check value says.
  pkcs11::Result<Proof> prove(TokenLink& link) const;

  pkcs11::Result<Bytes> header_tag(TokenLink& link, const EcbSalt& salt) const;
  pkcs11::Result<SessionObject> derive_message_key(TokenLink& link, const EcbSalt& salt) const {
    return derive_message_key(link, base_, salt);
  }
  /// The same for one that has left its base: of the material in the token now.
  static pkcs11::Result<SessionObject> derive_message_key(TokenLink& link,
                                                          pkcs11::ObjectHandle base,
                                                          const EcbSalt& salt);

  // Of a material that is unwrapped, whose base is somebody's:
  /// Keeps the base for as long as this lives.
  void hold(std::shared_ptr<const SessionObject> base) { held_ = std::move(base); }
  /// Forgets the base's handle, which may soon mean nothing or another object.
  void leave_base() { base_.value = CK_INVALID_HANDLE; }

  /// True at most once a second: whether a failed decryption may cost a proof of life now.
  bool may_judge(TimePoint now) const;

  MaterialObject(Material material, pkcs11::ObjectHandle base)
      : material_(std::move(material)), base_(base) {}

 private:
  Material material_;
  pkcs11::ObjectHandle base_;
  std::shared_ptr<const SessionObject> held_;
  std::optional<SessionObject> check_;
  std::optional<SessionObject> header_;
  mutable std::atomic<std::int64_t> judged_at_{INT64_MIN};
};
using MaterialObjectPtr = std::shared_ptr<const MaterialObject>;

class SessionKey final : public MessageKey {
 public:
  /// Derived under a salt.
  SessionKey(const void* maker, MaterialObjectPtr material, const EcbSalt& salt, Bytes header_tag,
             SessionObject object, TimePoint made_at)
      : maker_(maker),
        material_(std::move(material)),
        salt_(salt.begin(), salt.end()),
        header_tag_(std::move(header_tag)),
        object_(std::move(object)),
        made_at_(made_at) {}
  /// The material itself.
  SessionKey(const void* maker, MaterialObjectPtr material, TimePoint made_at)
      : maker_(maker), material_(std::move(material)), made_at_(made_at) {}

  Construction construction() const override { return material_->material().construction; }
  ByteView salt() const override { return salt_; }
  ByteView header_tag() const override { return header_tag_; }

  /// The MessageKeys that made it.
  const void* maker() const { return maker_; }
  const MaterialObjectPtr& material() const { return material_; }
  pkcs11::ObjectHandle handle() const { return object_ ? object_->handle() : material_->base(); }
  TimePoint made_at() const { return made_at_; }

  std::uint64_t messages() const { return messages_.load(std::memory_order_relaxed); }
  std::uint64_t count_message() const { return messages_.fetch_add(1, std::memory_order_relaxed); }

  /// Whether a ciphertext of this key has been decrypted again in this process.
  bool proven() const { return proven_.load(std::memory_order_relaxed); }
  void set_proven() const { proven_.store(true, std::memory_order_relaxed); }

 private:
  const void* maker_;
  MaterialObjectPtr material_;
  Bytes salt_;
  Bytes header_tag_;
  std::optional<SessionObject> object_;
  TimePoint made_at_;
  mutable std::atomic<std::uint64_t> messages_{0};
  mutable std::atomic<bool> proven_{false};
};
using SessionKeyPtr = std::shared_ptr<const SessionKey>;

}  // namespace keyhold::token

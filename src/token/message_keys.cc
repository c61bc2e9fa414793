#include "token/message_keys.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace keyhold::token {

/// Whether another message may be encrypted under the key: SP 800-38D bounds their number, and a
/// day the time in which a key can be stolen.
bool MessageKeys::is_fit(const SessionKey& key) const {
  if (!link_.current(key.handle())) return false;
  if (key.construction() == Construction::kDirect) return true;
  return key.messages() < link_.profile().message_key_max_messages &&
         clock_.now() < key.made_at() + link_.profile().message_key_max_age;
}

Result<SessionKeyPtr> MessageKeys::to_encrypt(const Inside& inside, const Material& material) {
  if (SessionKeyPtr key = cache_.last_used(material.object_name);
      key != nullptr && is_fit(*key) && materials_.is_current(*key->material(), material)) {
    return key;
  }
  const std::uint64_t epoch = cache_.epoch();
  TRY_ASSIGN(SessionKeyPtr key, current(inside, material));
  cache_.use(material.object_name, key, epoch);
  return key;
}

Result<SessionKeyPtr> MessageKeys::current(const Inside& inside, const Material& material) {
  for (int attempt = 0;; ++attempt) {
    TRY_ASSIGN(const WorkingMaterialPtr working, materials_.working(inside, material));
    const std::lock_guard lock(working->mutex);
    if (working->current != nullptr && is_fit(*working->current)) return working->current;
    if (material.construction == Construction::kDirect) {
      working->current = std::make_shared<SessionKey>(this, working->object, clock_.now());
      return working->current;
    }
    EcbSalt salt;
    random_.fill(salt);
    TRY_ASSIGN(const auto base, materials_.base(inside, *working->object, material));
    auto made = derive(working->object, base.handle, salt);
    if (made) {
      working->current = cache_.insert(*made);
      return working->current;
    }
    if (attempt != 0 || !made.error().handle_stale()) {
      return guard_.fail(inside, made.error(), "deriving a message key");
    }
    materials_.forget(material.object_name);
  }
}

pkcs11::Result<SessionKeyPtr> MessageKeys::derive(const MaterialObjectPtr& object,
                                                  pkcs11::ObjectHandle base, const EcbSalt& salt) {
  PKCS11_TRY_ASSIGN(Bytes header_tag, object->header_tag(link_, salt));
  PKCS11_TRY_ASSIGN(SessionObject key, MaterialObject::derive_message_key(link_, base, salt));
  return SessionKeyPtr(std::make_shared<SessionKey>(this, object, salt, std::move(header_tag),
                                                    std::move(key), clock_.now()));
}

Result<SessionKeyPtr> MessageKeys::derived(const Inside& inside, const Material& material,
                                           const EcbSalt& salt) {
  for (int attempt = 0;; ++attempt) {
    TRY_ASSIGN(const WorkingMaterialPtr working, materials_.working(inside, material));
    TRY_ASSIGN(const auto base, materials_.base(inside, *working->object, material));
    auto made = derive(working->object, base.handle, salt);
    if (made) return cache_.insert(*made);
    if (attempt != 0 || !made.error().handle_stale()) {
      return guard_.fail(inside, made.error(), "deriving a message key");
    }
    materials_.forget(material.object_name);
  }
}

Result<SessionKeyPtr> MessageKeys::to_decrypt(const Inside& inside, const Material& material,
                                              ByteView salt, ByteView header_tag) {
  if (material.construction == Construction::kDirect) return to_encrypt(inside, material);
  MessageKeyPlace place{material.object_name, {}};
  std::ranges::copy(salt, place.salt.begin());
  // What an entry was made for is part of its material; another subject under the same name would
  // have another header tag, and is not found here.
  if (SessionKeyPtr cached = cache_.find(place);
      cached != nullptr && link_.current(cached->handle()) &&
      materials_.is_current(*cached->material(), material)) {
    if (!equal_in_constant_time(cached->header_tag(), header_tag)) {
      return invalid_ciphertext("the header tag is wrong");
    }
    return cached;
  }
  for (int attempt = 0;; ++attempt) {
    TRY_ASSIGN(const WorkingMaterialPtr working, materials_.working(inside, material));
    const auto expected = working->object->header_tag(link_, place.salt);
    if (expected) {
      if (!equal_in_constant_time(*expected, header_tag)) {
        return invalid_ciphertext("the header tag is wrong");
      }
      if (cache_.find(place) != nullptr) cache_.erase(place);  // of another generation
      return derived(inside, material, place.salt);
    }
    if (attempt != 0 || !expected.error().handle_stale()) {
      return guard_.fail(inside, expected.error(), "authenticating a header");
    }
    materials_.forget(material.object_name);
  }
}

Result<SessionKeyPtr> MessageKeys::renewed(const Inside& inside, const SessionKey& key) {
  const Material& material = key.material()->material();
  if (link_.current(key.handle())) materials_.forget(material.object_name);
  if (key.construction() == Construction::kDirect) return current(inside, material);
  const MessageKeyPlace place = MessageKeyPlace::of(key);
  if (SessionKeyPtr cached = cache_.find(place)) {
    if (link_.current(cached->handle())) return cached;
    cache_.erase(place);
  }
  return derived(inside, material, place.salt);
}

Error MessageKeys::judge(const Inside& inside, const SessionKey& key, const pkcs11::Error& error) {
  const MaterialObject& object = *key.material();
  if (object.may_judge(clock_.now())) {
    const auto proof = object.prove(link_);
    if (!proof) {
      return guard_.lost(
          inside, "after " + error.text() + " the proof of life failed: " + proof.error().text());
    }
    if (*proof == Proof::kDiffers) {
      return guard_.lost(inside, "after " + error.text() + " a key computes something else");
    }
  }
  return invalid_ciphertext(error.text());
}

}  // namespace keyhold::token

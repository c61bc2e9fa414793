#include "token/key_cache.h"

#include <algorithm>
#include <cstring>

namespace keyhold::token {

MessageKeyPlace MessageKeyPlace::of(const SessionKey& key) {
  MessageKeyPlace place{key.material()->material().object_name, {}};
  std::ranges::copy(key.salt(), place.salt.begin());
  return place;
}

std::size_t MessageKeyPlaceHash::operator()(const MessageKeyPlace& place) const {
  // Salts come from ciphertexts, but only those whose header tag was right are kept, so nobody
  // chooses them to collide.
  std::size_t salt;
  std::memcpy(&salt, place.salt.data(), sizeof salt);
  return std::hash<ObjectName>()(place.material) ^ salt;
}

SessionKeyPtr KeyCache::find(const MessageKeyPlace& place) {
  if (SessionKeyPtr key = found_.find(place)) return key;
  const std::uint64_t epoch = found_.epoch();
  const auto shared = message_keys_.find(place);
  if (!shared) return nullptr;
  found_.put(place, *shared, epoch);
  return *shared;
}

void KeyCache::erase(const MessageKeyPlace& place) {
  message_keys_.erase(place);
  forget_memos();
}

void KeyCache::forget(const ObjectName& name) {
  materials_.erase(name);
  message_keys_.erase_if(
      [&name](const MessageKeyPlace& place, const auto&) { return place.material == name; });
  forget_memos();
}

void KeyCache::forget_all() {
  materials_.erase_if([](const auto&, const auto&) { return true; });
  message_keys_.erase_if([](const auto&, const auto&) { return true; });
  forget_memos();
}

void KeyCache::forget_memos() {
  used_.forget_all();
  found_.forget_all();
}

}  // namespace keyhold::token

// The keys that live in this process: materials with what was derived from them once, and message
// keys. Bounded; what was used longest ago is forgotten first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>

#include "token/construction.h"
#include "token/message_key.h"
#include "token/profile.h"
#include "token/sharded_lru.h"
#include "token/thread_memo.h"

namespace keyhold::token {

/// A material's object, and the message key that its messages are encrypted under now.
struct WorkingMaterial {
  MaterialObjectPtr object;
  std::mutex mutex;
  SessionKeyPtr current;  // guarded by mutex
};
using WorkingMaterialPtr = std::shared_ptr<WorkingMaterial>;

/// Which message key: whose, and under which salt.
struct MessageKeyPlace {
  ObjectName material;
  EcbSalt salt{};
  bool operator==(const MessageKeyPlace&) const = default;

  static MessageKeyPlace of(const SessionKey& key);
};

struct MessageKeyPlaceHash {
  std::size_t operator()(const MessageKeyPlace& place) const;
};

/// Safe from many threads. A thread finds what it used lately without a lock.
class KeyCache {
 public:
  explicit KeyCache(const Profile& profile)
      : materials_(profile.material_cache), message_keys_(profile.message_key_cache) {}

  // Materials.
  std::optional<WorkingMaterialPtr> find_material(const ObjectName& name) {
    return materials_.find(name);
  }
  /// The one that stands there afterwards, as with message keys below.
  WorkingMaterialPtr insert_material(const ObjectName& name, WorkingMaterialPtr material) {
    return materials_.insert(name, std::move(material));
  }

  // Message keys.
  SessionKeyPtr find(const MessageKeyPlace& place);
  SessionKeyPtr insert(const SessionKeyPtr& key) {
    return message_keys_.insert(MessageKeyPlace::of(*key), key);
  }
  void erase(const MessageKeyPlace& place);
  std::size_t message_keys() { return message_keys_.size(); }

  /// The key with which this thread encrypted last under that material; null if that must be asked
  /// of WorkingMaterial.
  SessionKeyPtr last_used(const ObjectName& material) { return used_.find(material); }
  /// `epoch`: epoch() as it was before the key was sought.
  void use(const ObjectName& material, const SessionKeyPtr& key, std::uint64_t epoch) {
    used_.put(material, key, epoch);
  }
  std::uint64_t epoch() const { return used_.epoch(); }

  void forget(const ObjectName& name);
  void forget_all();

 private:
  void forget_memos();

  ShardedLru<ObjectName, WorkingMaterialPtr> materials_;
  ShardedLru<MessageKeyPlace, SessionKeyPtr, MessageKeyPlaceHash> message_keys_;
  ThreadMemo<ObjectName, const SessionKey> used_;
  ThreadMemo<MessageKeyPlace, const SessionKey, MessageKeyPlaceHash> found_;
};

}  // namespace keyhold::token

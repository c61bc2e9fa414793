#include "iam/credential_snapshot.h"

#include <functional>
#include <string>
#include <unordered_map>
#include <utility>

namespace keyhold::iam {
namespace {

struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const {
    return std::hash<std::string_view>()(text);
  }
};

// Versions are unique among all snapshots of the process, so that a thread's cached map needs no
// other name. 0 is no version.
std::uint64_t next_version() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

}  // namespace

struct CredentialSnapshot::Map {
  std::unordered_map<std::string, Credential, TextHash, std::equal_to<>> credentials;
};

/// What a thread read last. `owner` is a holder of the map made by this thread, so that the count
/// of the pointers that alias it is written by this thread's requests and no other's.
struct CredentialSnapshot::Cached {
  std::uint64_t version = 0;
  std::shared_ptr<const std::shared_ptr<const Map>> owner;
};

CredentialSnapshot::CredentialSnapshot() : CredentialSnapshot(std::vector<Credential>()) {}

CredentialSnapshot::CredentialSnapshot(std::vector<Credential> credentials) : version_(0) {
  replace(std::move(credentials));
}

CredentialSnapshot::~CredentialSnapshot() = default;

void CredentialSnapshot::replace(std::vector<Credential> credentials) {
  auto map = std::make_shared<Map>();
  for (Credential& credential : credentials) {
    std::string id = credential.access_key_id;
    map->credentials.insert_or_assign(std::move(id), std::move(credential));
  }
  std::shared_ptr<const Map> old = std::move(map);  // destroyed after the mutex is let go
  const std::lock_guard lock(mutex_);
  map_.swap(old);
  version_.store(next_version(), std::memory_order_release);
}

std::shared_ptr<const Credential> CredentialSnapshot::find(std::string_view access_key_id) const {
  thread_local Cached cached;
  if (cached.version != version_.load(std::memory_order_acquire)) {
    std::shared_ptr<const Map> map;
    {
      const std::lock_guard lock(mutex_);
      cached.version = version_.load(std::memory_order_relaxed);
      map = map_;
    }
    cached.owner = std::make_shared<const std::shared_ptr<const Map>>(std::move(map));
  }
  const auto& credentials = (*cached.owner)->credentials;
  const auto at = credentials.find(access_key_id);
  if (at == credentials.end()) return nullptr;
  return {cached.owner, &at->second};
}

}  // namespace keyhold::iam

#include "kms/key_directory.h"

#include <algorithm>

#include "kms/paging.h"

namespace keyhold::kms {
namespace {

constexpr std::string_view kListName = "keys";

/// When a key next wants something done; nothing if never.
std::optional<TimePoint> due_at(const Key& key) {
  const store::KeyRecord& record = key.record();
  std::optional<TimePoint> due;
  const auto consider = [&](const std::optional<TimePoint>& at) {
    if (at && (!due || *at < *due)) due = at;
  };
  if (record.state == KeyState::kPendingDeletion) consider(record.deletion_at);
  if (record.state == KeyState::kEnabled && record.rotation_enabled) {
    consider(record.next_rotation_at);
  }
  for (const auto& material : key.materials()) {
    if (material->record.presence == store::MaterialPresence::kPresent) {
      consider(material->record.valid_to);
    }
  }
  return due;
}

bool is_unfinished(const Key& key) {
  return key.running_intent() ||
         std::ranges::any_of(key.materials(), [](const KeyMaterialPtr& material) {
           return !material->record.announced ||
                  material->record.presence == store::MaterialPresence::kDeleting ||
                  material->record.presence == store::MaterialPresence::kExpiring;
         });
}

}  // namespace

Snapshot<KeyDirectory::Shard>& KeyDirectory::shard_of(std::string_view id) {
  return shards_[TextHash{}(id) % kShards];
}
const Snapshot<KeyDirectory::Shard>& KeyDirectory::shard_of(std::string_view id) const {
  return shards_[TextHash{}(id) % kShards];
}

KeyPtr KeyDirectory::find(std::string_view id) const {
  const Shard& shard = shard_of(id).read();
  const auto at = shard.find(id);
  return at == shard.end() ? nullptr : at->second;
}

void KeyDirectory::unlist(const Key& key) {
  const auto& record = key.record();
  listed_.erase({record.account, record.region, record.id});
  if (const auto at = due_at(key)) due_.erase({*at, record.id});
  unfinished_.erase(record.id);
}

void KeyDirectory::put(const KeyPtr& key) {
  const std::lock_guard lock(mutex_);
  auto& shard = shard_of(key->id());
  auto next = std::make_shared<Shard>(*shard.latest());
  KeyPtr& place = (*next)[key->id()];
  if (place) unlist(*place);
  place = key;
  const auto& record = key->record();
  listed_[{record.account, record.region, record.id}] = key;
  if (const auto at = due_at(*key)) due_.emplace(*at, record.id);
  if (is_unfinished(*key)) unfinished_.insert(record.id);
  shard.publish(std::move(next));
}

void KeyDirectory::erase(std::string_view id) {
  const std::lock_guard lock(mutex_);
  auto& shard = shard_of(id);
  auto next = std::make_shared<Shard>(*shard.latest());
  const auto at = next->find(id);
  if (at == next->end()) return;
  unlist(*at->second);
  next->erase(at);
  shard.publish(std::move(next));
}

Result<Page<KeyPtr>> KeyDirectory::list(const Scope& scope, const PageRequest& request) const {
  TRY_ASSIGN(const std::string after, read_marker(kListName, request.marker));
  const std::lock_guard lock(mutex_);
  Page<KeyPtr> page;
  for (auto at = listed_.upper_bound({scope.account, scope.region, after}); at != listed_.end();
       ++at) {
    const auto& [account, region, id] = at->first;
    if (account != scope.account || region != scope.region) break;
    if (page.elements.size() == request.limit) {
      page.next_marker = make_marker(kListName, page.elements.back()->id());
      break;
    }
    page.elements.push_back(at->second);
  }
  return page;
}

std::vector<KeyPtr> KeyDirectory::all() const {
  const std::lock_guard lock(mutex_);
  std::vector<KeyPtr> keys;
  keys.reserve(listed_.size());
  for (const auto& [place, key] : listed_) keys.push_back(key);
  return keys;
}

std::vector<KeyPtr> KeyDirectory::due(TimePoint now) const {
  std::vector<std::string> ids;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [at, id] : due_) {
      if (at > now) break;
      ids.push_back(id);
    }
  }
  return find_all(ids);
}

std::vector<KeyPtr> KeyDirectory::unfinished() const {
  std::vector<std::string> ids;
  {
    const std::lock_guard lock(mutex_);
    ids.assign(unfinished_.begin(), unfinished_.end());
  }
  return find_all(ids);
}

std::vector<KeyPtr> KeyDirectory::find_all(const std::vector<std::string>& ids) const {
  std::vector<KeyPtr> keys;
  for (const auto& id : ids) {
    if (auto key = find(id)) keys.push_back(std::move(key));
  }
  return keys;
}

}  // namespace keyhold::kms

#include "kms/grant_directory.h"

#include <algorithm>

#include "kms/paging.h"

namespace keyhold::kms {
namespace {

constexpr std::string_view kGrantsName = "grants";
constexpr std::string_view kRetirableName = "retirable-grants";

/// A newline is in no key id, so that no two places share a text.
std::string place_of(std::string_view key_id, std::string_view grantee) {
  std::string place(key_id);
  place.append("\n").append(grantee);
  return place;
}

/// A page of those from `at` on that stand under `first` and for which `is_meant` holds.
template <typename Iterator, typename Meant>
Page<GrantPtr> take_page(Iterator at, Iterator end, std::string_view first, std::string_view list,
                         std::size_t limit, const Meant& is_meant) {
  Page<GrantPtr> page;
  for (; at != end && at->first.first == first; ++at) {
    if (!is_meant(*at->second)) continue;
    if (page.elements.size() == limit) {
      page.next_marker = make_marker(list, page.elements.back()->grant_id);
      break;
    }
    page.elements.push_back(at->second);
  }
  return page;
}

}  // namespace

Snapshot<GrantDirectory::Shard>& GrantDirectory::shard_of(std::string_view place) {
  return shards_[TextHash{}(place) % kShards];
}
const Snapshot<GrantDirectory::Shard>& GrantDirectory::shard_of(std::string_view place) const {
  return shards_[TextHash{}(place) % kShards];
}

void GrantDirectory::load(const std::vector<GrantPtr>& grants) {
  const std::lock_guard lock(mutex_);
  std::unordered_map<std::string, Grants> by_place;
  for (const GrantPtr& grant : grants) {
    by_place[place_of(grant->key_id, grant->grantee)].push_back(grant);
    list_locked(grant);
  }
  std::array<Shard, kShards> shards;
  for (auto& [place, of_place] : by_place) {
    shards[TextHash{}(place) % kShards].emplace(
        place, std::make_shared<const Grants>(std::move(of_place)));
  }
  for (std::size_t i = 0; i < kShards; ++i) {
    shards_[i].publish(std::make_shared<const Shard>(std::move(shards[i])));
  }
}

void GrantDirectory::list_locked(const GrantPtr& grant) {
  by_id_[grant->grant_id] = grant;
  by_key_[{grant->key_id, grant->grant_id}] = grant;
  ++counts_[grant->key_id];
  if (!grant->retiring_principal.empty()) {
    by_retiring_principal_[{grant->retiring_principal, grant->grant_id}] = grant;
  }
  if (!grant->name.empty()) by_name_[{grant->key_id, grant->name, grant->grant_id}] = grant;
}

void GrantDirectory::put(const GrantPtr& grant) {
  const std::lock_guard lock(mutex_);
  const std::string place = place_of(grant->key_id, grant->grantee);
  auto& shard = shard_of(place);
  auto next = std::make_shared<Shard>(*shard.latest());
  std::shared_ptr<const Grants>& of_place = (*next)[place];
  auto grants = of_place ? std::make_shared<Grants>(*of_place) : std::make_shared<Grants>();
  grants->push_back(grant);
  of_place = std::move(grants);
  list_locked(grant);
  shard.publish(std::move(next));
}

void GrantDirectory::erase(const store::GrantRecord& grant) {
  const std::lock_guard lock(mutex_);
  erase_locked(grant);
}

void GrantDirectory::erase_locked(const store::GrantRecord& grant) {
  const auto known = by_id_.find(grant.grant_id);
  if (known == by_id_.end()) return;
  const GrantPtr held = known->second;  // `grant` may be the very one that goes
  const std::string place = place_of(held->key_id, held->grantee);
  auto& shard = shard_of(place);
  auto next = std::make_shared<Shard>(*shard.latest());
  if (const auto at = next->find(place); at != next->end()) {
    auto rest = std::make_shared<Grants>(*at->second);
    std::erase(*rest, held);
    if (rest->empty()) {
      next->erase(at);
    } else {
      at->second = std::move(rest);
    }
  }
  shard.publish(std::move(next));
  by_id_.erase(known);
  by_key_.erase({held->key_id, held->grant_id});
  by_retiring_principal_.erase({held->retiring_principal, held->grant_id});
  by_name_.erase({held->key_id, held->name, held->grant_id});
  if (const auto of_key = counts_.find(held->key_id); --of_key->second == 0) counts_.erase(of_key);
}

void GrantDirectory::erase_key(std::string_view key_id) {
  const std::lock_guard lock(mutex_);
  while (true) {
    const auto at = by_key_.lower_bound({std::string(key_id), ""});
    if (at == by_key_.end() || at->first.first != key_id) return;
    erase_locked(*at->second);
  }
}

const std::vector<GrantPtr>& GrantDirectory::find(std::string_view key_id,
                                                  std::string_view grantee) const {
  static const Grants kNone;
  const std::string place = place_of(key_id, grantee);
  const Shard& shard = shard_of(place).read();
  const auto at = shard.find(place);
  return at == shard.end() ? kNone : *at->second;
}

GrantPtr GrantDirectory::find(std::string_view grant_id) const {
  const std::lock_guard lock(mutex_);
  const auto at = by_id_.find(grant_id);
  return at == by_id_.end() ? nullptr : at->second;
}

std::vector<GrantPtr> GrantDirectory::named(std::string_view key_id, std::string_view name) const {
  const std::lock_guard lock(mutex_);
  std::vector<GrantPtr> grants;
  for (auto at = by_name_.lower_bound({std::string(key_id), std::string(name), ""});
       at != by_name_.end() && std::get<0>(at->first) == key_id && std::get<1>(at->first) == name;
       ++at) {
    grants.push_back(at->second);
  }
  return grants;
}

std::size_t GrantDirectory::count(std::string_view key_id) const {
  const std::lock_guard lock(mutex_);
  const auto at = counts_.find(key_id);
  return at == counts_.end() ? 0 : at->second;
}

Result<Page<GrantPtr>> GrantDirectory::list(const GrantFilter& filter,
                                            const PageRequest& request) const {
  TRY_ASSIGN(const std::string after, read_marker(kGrantsName, request.marker));
  const std::lock_guard lock(mutex_);
  return take_page(by_key_.upper_bound({std::string(filter.key_id), after}), by_key_.end(),
                   filter.key_id, kGrantsName, request.limit, [&](const store::GrantRecord& grant) {
                     return (filter.grant_id.empty() || grant.grant_id == filter.grant_id) &&
                            (filter.grantee.empty() || grant.grantee == filter.grantee);
                   });
}

Result<Page<GrantPtr>> GrantDirectory::list_retirable(
    std::string_view retiring_principal,
    const std::function<bool(const store::GrantRecord&)>& is_meant,
    const PageRequest& request) const {
  TRY_ASSIGN(const std::string after, read_marker(kRetirableName, request.marker));
  const std::lock_guard lock(mutex_);
  return take_page(by_retiring_principal_.upper_bound({std::string(retiring_principal), after}),
                   by_retiring_principal_.end(), retiring_principal, kRetirableName, request.limit,
                   is_meant);
}

}  // namespace keyhold::kms

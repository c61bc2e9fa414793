#include "kms/alias_directory.h"

#include "kms/paging.h"

namespace keyhold::kms {
namespace {

constexpr std::string_view kListName = "aliases";

/// A newline is in no account, region or alias name, so that no two places share a text.
std::string full_name(const Scope& scope, std::string_view name) {
  std::string text = scope.account;
  text.append("\n").append(scope.region).append("\n").append(name);
  return text;
}

}  // namespace

std::optional<store::AliasRecord> AliasDirectory::find(const Scope& scope,
                                                       std::string_view name) const {
  const std::string full = full_name(scope, name);
  const Shard& shard = shards_[TextHash{}(full) % kShards].read();
  const auto at = shard.find(full);
  if (at == shard.end()) return std::nullopt;
  return at->second;
}

void AliasDirectory::put(const store::AliasRecord& alias) {
  const std::lock_guard lock(mutex_);
  const Scope scope{alias.account, alias.region};
  erase_locked(scope, alias.name);
  const std::string full = full_name(scope, alias.name);
  auto& shard = shards_[TextHash{}(full) % kShards];
  auto next = std::make_shared<Shard>(*shard.latest());
  (*next)[full] = alias;
  shard.publish(std::move(next));
  listed_[{alias.account, alias.region, alias.name}] = alias;
  by_target_.emplace(alias.account, alias.region, alias.target_key_id, alias.name);
}

void AliasDirectory::erase(const Scope& scope, std::string_view name) {
  const std::lock_guard lock(mutex_);
  erase_locked(scope, name);
}

void AliasDirectory::erase_locked(const Scope& scope, std::string_view name) {
  const auto at = listed_.find({scope.account, scope.region, std::string(name)});
  if (at == listed_.end()) return;
  by_target_.erase({scope.account, scope.region, at->second.target_key_id, std::string(name)});
  listed_.erase(at);
  const std::string full = full_name(scope, name);
  auto& shard = shards_[TextHash{}(full) % kShards];
  auto next = std::make_shared<Shard>(*shard.latest());
  next->erase(full);
  shard.publish(std::move(next));
}

void AliasDirectory::erase_target(const Scope& scope, std::string_view key_id) {
  const std::lock_guard lock(mutex_);
  const TargetPlace first{scope.account, scope.region, std::string(key_id), ""};
  while (true) {
    const auto at = by_target_.lower_bound(first);
    if (at == by_target_.end() || std::get<0>(*at) != scope.account ||
        std::get<1>(*at) != scope.region || std::get<2>(*at) != key_id) {
      return;
    }
    erase_locked(scope, std::string(std::get<3>(*at)));
  }
}

Result<Page<store::AliasRecord>> AliasDirectory::list(const Scope& scope, std::string_view key_id,
                                                      const PageRequest& request) const {
  TRY_ASSIGN(const std::string after, read_marker(kListName, request.marker));
  const std::lock_guard lock(mutex_);
  Page<store::AliasRecord> page;
  // Takes one more place of the list; false when the page is full.
  const auto take = [&](const store::AliasRecord& alias) {
    if (page.elements.size() == request.limit) {
      page.next_marker = make_marker(kListName, page.elements.back().name);
      return false;
    }
    page.elements.push_back(alias);
    return true;
  };
  if (key_id.empty()) {
    for (auto at = listed_.upper_bound({scope.account, scope.region, after});
         at != listed_.end() && std::get<0>(at->first) == scope.account &&
         std::get<1>(at->first) == scope.region && take(at->second);
         ++at) {
    }
    return page;
  }
  for (auto at = by_target_.upper_bound({scope.account, scope.region, std::string(key_id), after});
       at != by_target_.end() && std::get<0>(*at) == scope.account &&
       std::get<1>(*at) == scope.region && std::get<2>(*at) == key_id;
       ++at) {
    if (!take(listed_.at({scope.account, scope.region, std::get<3>(*at)}))) break;
  }
  return page;
}

std::vector<std::string> AliasDirectory::names_of(const Scope& scope,
                                                  std::string_view key_id) const {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> names;
  for (auto at = by_target_.lower_bound({scope.account, scope.region, std::string(key_id), ""});
       at != by_target_.end() && std::get<0>(*at) == scope.account &&
       std::get<1>(*at) == scope.region && std::get<2>(*at) == key_id;
       ++at) {
    names.push_back(std::get<3>(*at));
  }
  return names;
}

std::size_t AliasDirectory::count(const Scope& scope, std::string_view key_id) const {
  return names_of(scope, key_id).size();
}

}  // namespace keyhold::kms

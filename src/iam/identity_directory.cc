#include "iam/identity_directory.h"

#include <algorithm>

#include "iam/arn_parts.h"

namespace keyhold::iam {
namespace {

// A slash is in no account, kind or name.
std::string key_of(IdentityKind kind, std::string_view account, std::string_view name) {
  std::string key(to_string(kind));
  return key.append("/").append(account).append("/").append(name);
}

std::string key_of(const Identity& identity) {
  return key_of(identity.kind, identity.principal.account, identity.principal.name);
}

}  // namespace

void IdentityDirectory::publish(std::vector<Identity> identities) {
  std::unordered_map<std::string, const Identity*> groups;
  for (const Identity& identity : identities) {
    if (identity.kind == IdentityKind::kGroup) groups[key_of(identity)] = &identity;
  }
  for (Identity& identity : identities) {
    identity.effective_policies = identity.policies;
    for (const std::string& name : identity.groups) {
      const auto group =
          groups.find(key_of(IdentityKind::kGroup, identity.principal.account, name));
      if (group == groups.end()) continue;
      const auto& more = group->second->policies;
      identity.effective_policies.insert(identity.effective_policies.end(), more.begin(),
                                         more.end());
    }
  }
  auto map = std::make_shared<Map>();
  for (Identity& identity : identities) {
    std::string key = key_of(identity);
    (*map)[std::move(key)] = std::make_shared<const Identity>(std::move(identity));
  }
  identities_.publish(std::move(map));
}

std::shared_ptr<const Identity> IdentityDirectory::find(IdentityKind kind, std::string_view account,
                                                        std::string_view name) const {
  const Map& map = identities_.read();
  const auto found = map.find(key_of(kind, account, name));
  return found == map.end() ? nullptr : found->second;
}

bool IdentityDirectory::exists(std::string_view arn) const {
  const auto parts = split_arn(arn);
  if (!parts) return false;
  const std::string_view resource = (*parts)[5];
  const auto kind = parse_identity_kind(resource.substr(0, resource.find('/')));
  if (!kind) return false;
  const auto identity = find(*kind, (*parts)[4], resource.substr(resource.rfind('/') + 1));
  return identity && identity->principal.arn == arn;
}

bool IdentityDirectory::knows(std::string_view principal_arn) const {
  const auto parts = split_arn(principal_arn);
  if (!parts) return false;
  const auto& [arn, partition, service, region, account, resource] = *parts;
  if (service == "iam") return resource == "root" || exists(principal_arn);
  constexpr std::string_view kSession = "assumed-role/";
  if (service != "sts" || !resource.starts_with(kSession)) return false;
  const std::string_view role_and_session = resource.substr(kSession.size());
  const auto slash = role_and_session.find('/');
  return slash != std::string_view::npos &&
         find(IdentityKind::kRole, account, role_and_session.substr(0, slash)) != nullptr;
}

Actor IdentityDirectory::actor(const Credential& credential) const {
  const Principal& principal = credential.principal;
  Actor actor{principal};
  if (principal.type != PrincipalType::kRoot) {
    const bool is_session = principal.type == PrincipalType::kAssumedRole;
    auto identity = find(is_session ? IdentityKind::kRole : IdentityKind::kUser, principal.account,
                         principal.name);
    // One of the same name under another path is somebody else.
    if (identity && identity->principal.arn == (is_session ? principal.role_arn : principal.arn)) {
      actor.identity = std::move(identity);
    }
  }
  if (credential.session) {
    actor.session_policies = credential.session->policies;
    actor.issued_at = credential.session->issued_at;
  }
  return actor;
}

std::vector<std::shared_ptr<const Identity>> IdentityDirectory::all() const {
  std::vector<std::pair<std::string, std::shared_ptr<const Identity>>> sorted;
  for (const auto& entry : identities_.read()) sorted.emplace_back(entry);
  std::sort(sorted.begin(), sorted.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<std::shared_ptr<const Identity>> all;
  all.reserve(sorted.size());
  for (auto& entry : sorted) all.push_back(std::move(entry.second));
  return all;
}

}  // namespace keyhold::iam

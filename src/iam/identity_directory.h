// All users, groups and roles in memory, replaced whole.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/snapshot.h"
#include "iam/actor.h"
#include "iam/credential.h"
#include "iam/identity.h"

namespace keyhold::iam {

/// Read by many threads at once, without a lock while nothing changes.
class IdentityDirectory {
 public:
  IdentityDirectory() = default;

  /// From its return on, every answer is from `identities` alone. Of two of one kind, account and
  /// name the last one counts. A user gets the policies of the groups that it is in; a group that
  /// is not there has none.
  void publish(std::vector<Identity> identities);

  /// Null if there is none of that name.
  std::shared_ptr<const Identity> find(IdentityKind kind, std::string_view account,
                                       std::string_view name) const;

  /// Whether the ARN of a user or a role is one of these.
  bool exists(std::string_view arn) const;

  /// Whether a principal's ARN means somebody: any account's root, a user or a role of these, a
  /// session of such a role.
  bool knows(std::string_view principal_arn) const;

  /// Who a credential is: its principal, with what is defined of it now.
  Actor actor(const Credential& credential) const;

  /// All of them, by kind, account and name.
  std::vector<std::shared_ptr<const Identity>> all() const;

 private:
  using Map = std::unordered_map<std::string, std::shared_ptr<const Identity>>;
  Snapshot<Map> identities_;
};

}  // namespace keyhold::iam

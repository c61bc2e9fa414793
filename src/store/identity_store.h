// Durable rows of users, groups, roles, and of what was revoked of their sessions. The promises and
// errors are those of store/store.h.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace keyhold::store {

/// A user, group or role.
struct IdentityRecord {
  std::string account;
  std::string kind;        ///< `user`, `group` or `role`
  std::string name;        ///< without its path
  std::string definition;  ///< JSON, with its policies
  TimePoint updated_at;

  bool operator==(const IdentityRecord&) const = default;
};

/// Temporary credentials that are not good any more.
struct RevocationRecord {
  std::string subject;  ///< a role's ARN, or an access key id
  /// Those issued before are revoked; of an access key id, all.
  TimePoint issued_before;

  bool operator==(const RevocationRecord&) const = default;
};

class IdentityStore {
 public:
  virtual ~IdentityStore() = default;

  /// By account, kind and name.
  virtual Result<std::vector<IdentityRecord>> identities() = 0;
  /// Makes it, or takes the place of the one of that account, kind and name.
  virtual Result<void> put_identity(const IdentityRecord& identity) = 0;
  /// kNotFound (without a message) if there is none.
  virtual Result<void> delete_identity(std::string_view account, std::string_view kind,
                                       std::string_view name) = 0;

  /// By subject.
  virtual Result<std::vector<RevocationRecord>> revocations() = 0;
  /// Of one subject the latest instant counts.
  virtual Result<void> put_revocation(const RevocationRecord& revocation) = 0;
};

}  // namespace keyhold::store

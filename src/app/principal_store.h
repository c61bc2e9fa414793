// Users, groups and roles: from the configuration, from the store, and from a file of the
// operator's, compiled into the directory that calls are judged by.
#pragma once

#include <atomic>
#include <chrono>
#include <filesystem>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "app/identity_change.h"
#include "app/key_sources.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"
#include "iam/identity_directory.h"
#include "iam/session_revocations.h"
#include "store/identity_store.h"
#include "sts/web_identity.h"

namespace keyhold::app {

struct PrincipalOptions {
  std::string account;         ///< of definitions that name none
  std::string administrator;   ///< `user/admin`; may do everything unless defined otherwise
  std::filesystem::path file;  ///< empty: there is none
  iam::KnowsKey knows_key = nullptr;
};

/// Safe to call from many threads. A definition in the file goes before one of the same type,
/// account and name in the store, and both before the configuration.
class PrincipalStore {
 public:
  /// `store` and `clock` must outlive it.
  PrincipalStore(store::IdentityStore& store, const Clock& clock, PrincipalOptions options)
      : store_(store), clock_(clock), options_(std::move(options)), key_sources_(clock) {}

  /// Reads everything anew. kValidation or kMalformedPolicyDocument with a sentence that names the
  /// principal, if something cannot be understood; what was loaded before then stays.
  Result<void> load();

  /// Makes or replaces the principal of a JSON definition (iam::parse_definition). The next call
  /// sees it. kConflict if the file defines it.
  Result<IdentityChange> put(const json::Value& definition);

  /// `type_and_name`: `role/app`. kNotFound if the store has none; kConflict if the file defines
  /// it.
  Result<IdentityChange> remove(std::string_view account, std::string_view type_and_name);

  /// Whatever was issued to this role (`role/app`) or under this access key id is revoked from now
  /// on: the next call with it fails.
  Result<IdentityChange> revoke_role(std::string_view account, std::string_view role);
  Result<IdentityChange> revoke_access_key(std::string_view access_key_id);

  /// One JSON definition for each, by type, account and name.
  std::vector<std::string> definitions();

  /// When load() last succeeded.
  std::chrono::steady_clock::time_point loaded_at() const { return loaded_at_.load(); }

  const iam::IdentityDirectory& directory() const { return directory_; }
  const iam::SessionRevocations& revocations() const { return revocations_; }
  /// The file's OpenID providers.
  const sts::ProviderSnapshot& providers() const { return providers_; }
  const PrincipalOptions& options() const { return options_; }

 private:
  Result<void> load_locked();
  Result<void> load_revocations();
  Result<void> put_revocation(std::string subject, IdentityChange& change);
  bool in_file(iam::IdentityKind kind, std::string_view account, std::string_view name) const;

  store::IdentityStore& store_;
  const Clock& clock_;
  const PrincipalOptions options_;
  std::mutex mutex_;
  std::atomic<std::chrono::steady_clock::time_point> loaded_at_{
      std::chrono::steady_clock::time_point()};
  KeySources key_sources_;
  std::vector<iam::IdentityDefinition> definitions_;
  std::vector<iam::IdentityDefinition> file_definitions_;
  iam::IdentityDirectory directory_;
  iam::SessionRevocations revocations_;
  sts::ProviderSnapshot providers_;
};

}  // namespace keyhold::app

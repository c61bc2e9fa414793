// The embedded store: one SQLite file that belongs to one process at a time.
#pragma once

#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "store/identity_store.h"
#include "store/sqlite_database.h"
#include "store/store.h"

namespace keyhold::store {

class SqliteStore final : public Store, public IdentityStore {
 public:
  /// Opens the store in the file `path`, after checking all of it; makes it (mode 0600, in a folder
  /// that exists) if there is none, and brings an older schema up to date. Errors are kKmsInternal
  /// with a sentence for the operator in the message: not a store, damaged, of a newer schema, in
  /// use by another process, not writable, no space. A store that is refused is left as it was.
  static Result<std::unique_ptr<SqliteStore>> open(const std::string& path);

  Result<Contents> load() override;
  Result<std::optional<std::string>> setting(std::string_view name) override;
  Result<void> put_setting(std::string_view name, std::string_view value) override;
  Result<void> insert_key(const KeyRecord& key) override;
  Result<void> begin_key(const KeyRecord& key, const IntentRecord& intent) override;
  Result<void> finish_key(const MaterialRecord& material) override;
  Result<void> abandon_key(std::string_view key_id) override;
  Result<void> begin_material(const IntentRecord& intent, std::uint64_t key_version) override;
  Result<void> finish_rotation(const KeyRecord& key, const MaterialRecord& material) override;
  Result<void> finish_import(const KeyRecord& key, const MaterialRecord& material) override;
  Result<void> update_material(const KeyRecord& key, const MaterialRecord& material) override;
  Result<void> forget_material(const KeyRecord& key, std::string_view material_id) override;
  Result<void> replace_intent(const ObjectName& old_name, const ObjectName& new_name) override;
  Result<void> withdraw_intent(const ObjectName& object_name) override;
  Result<void> mark_announced(const ObjectName& object_name) override;
  Result<void> update_key(const KeyRecord& key) override;
  Result<void> put_wrapping_key(const WrappingKeyRecord& wrapping_key) override;
  Result<void> erase_wrapping_key(const ObjectName& object_name) override;
  Result<void> begin_custody_key(const CustodyKeyRecord& key) override;
  Result<void> finish_custody_key(const ObjectName& object_name, const Bytes& check_value) override;
  Result<void> rewrap_material(const ObjectName& material, const ObjectName& from,
                               const WrappedRecord& wrapped) override;
  Result<void> condemn_custody_key(const ObjectName& object_name) override;
  Result<void> erase_custody_key(const ObjectName& object_name) override;
  Result<void> erase_key(std::string_view key_id) override;
  Result<void> insert_alias(const AliasRecord& alias) override;
  Result<void> update_alias(const AliasRecord& alias) override;
  Result<void> delete_alias(std::string_view account, std::string_view region,
                            std::string_view name) override;
  Result<void> insert_grant(const GrantRecord& grant) override;
  Result<void> delete_grant(std::string_view grant_id) override;
  Result<void> put_usages(std::span<const UsageRecord> usages) override;
  Result<void> insert_credential(const CredentialRecord& credential) override;
  Result<void> update_credential(const CredentialRecord& credential) override;
  Result<std::uint64_t> reserve_invocations(const ObjectName& material,
                                            std::uint64_t count) override;
  Result<void> check() override;

  Result<std::vector<IdentityRecord>> identities() override;
  Result<void> put_identity(const IdentityRecord& identity) override;
  Result<void> delete_identity(std::string_view account, std::string_view kind,
                               std::string_view name) override;
  Result<std::vector<RevocationRecord>> revocations() override;
  Result<void> put_revocation(const RevocationRecord& revocation) override;

 private:
  explicit SqliteStore(SqliteDatabase database) : database_(std::move(database)) {}

  /// Runs `body`, which returns a Result, in one transaction: committed if it succeeds.
  template <typename Body>
  auto transact(Transaction::Kind kind, Body body) -> decltype(body()) {
    const std::lock_guard lock(mutex_);
    Transaction transaction(database_);
    if (const auto failed = transaction.begin(kind)) return to_error(*failed);
    auto result = body();
    if (!result) return result;
    if (const auto failed = transaction.commit()) return to_error(*failed);
    return result;
  }

  // Parts of transactions. One file for each kind of row: sqlite_keys.cc and so on.
  Result<void> load_keys(Contents& contents);
  Result<void> load_tags(std::vector<KeyRecord>& keys);
  Result<void> load_materials(Contents& contents);
  Result<void> load_intents(Contents& contents);
  Result<void> load_wrapping_keys(Contents& contents);
  Result<void> load_custody_keys(Contents& contents);
  Result<void> expect_wraps(const ObjectName& custody_key);
  Result<void> load_aliases(Contents& contents);
  Result<void> load_credentials(Contents& contents);
  Result<void> load_grants(Contents& contents);
  Result<void> load_usages(Contents& contents);
  Result<void> delete_grants_of_key(std::string_view key_id);
  Result<void> insert_intent(const IntentRecord& intent);
  Result<void> end_intent(const MaterialRecord& material);
  Result<void> insert_material(const MaterialRecord& material);
  Result<void> write_material(const MaterialRecord& material);
  Result<void> insert_key_row(const KeyRecord& key, int born);
  Result<void> write_key(const KeyRecord& key);
  Result<void> insert_tags(const KeyRecord& key);
  Result<void> delete_tags(std::string_view key_id);

  // Everything is one connection's, so everything waits here. Only heavy operations come.
  std::mutex mutex_;
  SqliteDatabase database_;
};

}  // namespace keyhold::store

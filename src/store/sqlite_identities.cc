// Rows of iam_identity and session_revocation.
#include "store/sqlite_rows.h"
#include "store/sqlite_store.h"

namespace keyhold::store {

Result<std::vector<IdentityRecord>> SqliteStore::identities() {
  std::vector<IdentityRecord> found;
  TRY(transact(Transaction::Kind::kRead, [&]() -> Result<void> {
    return for_each_row(
        database_.prepare("SELECT account, kind, name, definition, updated_at FROM iam_identity"
                          " ORDER BY account, kind, name"),
        "iam_identity", [&](Row& row) {
          IdentityRecord identity;
          identity.account = row.text();
          identity.kind = row.text();
          identity.name = row.text();
          identity.definition = row.text();
          identity.updated_at = row.time();
          found.push_back(std::move(identity));
        });
  }));
  return found;
}

Result<void> SqliteStore::put_identity(const IdentityRecord& identity) {
  return transact(Transaction::Kind::kWrite, [&]() -> Result<void> {
    return exactly_one(
        database_
            .prepare("INSERT INTO iam_identity (account, kind, name, definition, updated_at)"
                     " VALUES ($1, $2, $3, $4, $5)"
                     " ON CONFLICT (account, kind, name) DO UPDATE SET"
                     " definition = excluded.definition, updated_at = excluded.updated_at")
            .bind(identity.account)
            .bind(identity.kind)
            .bind(identity.name)
            .bind(identity.definition)
            .bind(identity.updated_at)
            .run());
  });
}

Result<void> SqliteStore::delete_identity(std::string_view account, std::string_view kind,
                                          std::string_view name) {
  return transact(Transaction::Kind::kWrite, [&]() -> Result<void> {
    TRY_ASSIGN(const int deleted, database_
                                      .prepare("DELETE FROM iam_identity"
                                               " WHERE account = $1 AND kind = $2 AND name = $3")
                                      .bind(account)
                                      .bind(kind)
                                      .bind(name)
                                      .run());
    if (deleted == 0) return Error(ErrorCode::kNotFound);
    return {};
  });
}

Result<std::vector<RevocationRecord>> SqliteStore::revocations() {
  std::vector<RevocationRecord> found;
  TRY(transact(Transaction::Kind::kRead, [&]() -> Result<void> {
    return for_each_row(
        database_.prepare("SELECT subject, issued_before FROM session_revocation ORDER BY subject"),
        "session_revocation", [&](Row& row) {
          RevocationRecord revocation;
          revocation.subject = row.text();
          revocation.issued_before = row.time();
          found.push_back(std::move(revocation));
        });
  }));
  return found;
}

Result<void> SqliteStore::put_revocation(const RevocationRecord& revocation) {
  return transact(Transaction::Kind::kWrite, [&]() -> Result<void> {
    TRY(database_
            .prepare("INSERT INTO session_revocation (subject, issued_before) VALUES ($1, $2)"
                     " ON CONFLICT (subject) DO UPDATE SET issued_before = excluded.issued_before"
                     " WHERE excluded.issued_before > session_revocation.issued_before")
            .bind(revocation.subject)
            .bind(revocation.issued_before)
            .run());
    return {};
  });
}

}  // namespace keyhold::store

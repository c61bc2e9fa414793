// Rows of credential.
#include "store/sqlite_rows.h"
#include "store/sqlite_store.h"

namespace keyhold::store {
namespace {

CredentialRecord read_credential(Row& row) {
  CredentialRecord credential;
  credential.access_key_id = row.text();
  credential.account = row.text();
  credential.principal = row.text();
  credential.sealed_secret = row.bytes();
  credential.status = row.word<CredentialStatus>();
  credential.generation = row.counter();
  credential.created_at = row.time();
  return credential;
}

}  // namespace

Result<void> SqliteStore::load_credentials(Contents& contents) {
  return for_each_row(
      database_.prepare(
          "SELECT access_key_id, account, principal, sealed_secret, status, generation, created_at"
          " FROM credential ORDER BY access_key_id"),
      "credential", [&](Row& row) { contents.credentials.push_back(read_credential(row)); });
}

Result<void> SqliteStore::insert_credential(const CredentialRecord& credential) {
  return transact(Transaction::Kind::kWrite, [&]() -> Result<void> {
    TRY_ASSIGN(const int inserted,
               database_
                   .prepare("INSERT INTO credential (access_key_id, account, principal,"
                            " sealed_secret, status, generation, created_at)"
                            " VALUES ($1, $2, $3, $4, $5, $6, $7)"
                            " ON CONFLICT (access_key_id) DO NOTHING")
                   .bind(credential.access_key_id)
                   .bind(credential.account)
                   .bind(credential.principal)
                   .bind(credential.sealed_secret)
                   .bind(credential.status)
                   .bind(credential.generation)
                   .bind(credential.created_at)
                   .run());
    if (inserted == 0) return Error(ErrorCode::kAlreadyExists);
    return {};
  });
}

Result<void> SqliteStore::update_credential(const CredentialRecord& credential) {
  return transact(Transaction::Kind::kWrite, [&]() -> Result<void> {
    TRY_ASSIGN(const int updated,
               database_
                   .prepare("UPDATE credential SET account = $1, principal = $2,"
                            " sealed_secret = $3, status = $4, generation = $5, created_at = $6"
                            " WHERE access_key_id = $7")
                   .bind(credential.account)
                   .bind(credential.principal)
                   .bind(credential.sealed_secret)
                   .bind(credential.status)
                   .bind(credential.generation)
                   .bind(credential.created_at)
                   .bind(credential.access_key_id)
                   .run());
    if (updated == 0) return Error(ErrorCode::kNotFound);
    return {};
  });
}

}  // namespace keyhold::store

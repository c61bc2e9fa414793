// Rows of wrapping_key.
#include "store/sqlite_rows.h"
#include "store/sqlite_store.h"

namespace keyhold::store {
namespace {

WrappingKeyRecord read_wrapping_key(Row& row) {
  WrappingKeyRecord record;
  record.object_name = row.object_name();
  record.key_id = row.text();
  record.algorithm = row.word<WrappingAlgorithm>();
  record.spec = row.word<KeySpec>();
  record.expires_at = row.time();
  record.public_key = row.bytes();
  return record;
}

}  // namespace

Result<void> SqliteStore::load_wrapping_keys(Contents& contents) {
  return for_each_row(
      database_.prepare("SELECT object_name, key_id, algorithm, spec, expires_at, public_key"
                        " FROM wrapping_key ORDER BY object_name"),
      "wrapping_key", [&](Row& row) { contents.wrapping_keys.push_back(read_wrapping_key(row)); });
}

Result<void> SqliteStore::put_wrapping_key(const WrappingKeyRecord& wrapping_key) {
  return transact(Transaction::Kind::kWrite, [&] {
    return exactly_one(
        database_
            .prepare("INSERT INTO wrapping_key"
                     " (object_name, key_id, algorithm, spec, expires_at, public_key)"
                     " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (object_name) DO UPDATE SET"
                     " expires_at = excluded.expires_at, public_key = excluded.public_key")
            .bind(wrapping_key.object_name)
            .bind(wrapping_key.key_id)
            .bind(wrapping_key.algorithm)
            .bind(wrapping_key.spec)
            .bind(wrapping_key.expires_at)
            .bind(wrapping_key.public_key)
            .run());
  });
}

Result<void> SqliteStore::erase_wrapping_key(const ObjectName& object_name) {
  return transact(Transaction::Kind::kWrite, [&]() -> Result<void> {
    TRY(database_.prepare("DELETE FROM wrapping_key WHERE object_name = $1")
            .bind(object_name)
            .run());
    return {};
  });
}

}  // namespace keyhold::store

// Rows of custody_key, and what of key_material's rows hangs on them.
#include "store/sqlite_rows.h"
#include "store/sqlite_store.h"

namespace keyhold::store {
namespace {

CustodyKeyRecord read_custody_key(Row& row) {
  CustodyKeyRecord record;
  record.object_name = row.object_name();
  record.state = row.word<CustodyKeyState>();
  record.check_value = row.bytes();
  record.created_at = row.time();
  return record;
}

}  // namespace

Result<void> SqliteStore::load_custody_keys(Contents& contents) {
  return for_each_row(
      database_.prepare("SELECT object_name, state, check_value, created_at FROM custody_key"
                        " ORDER BY object_name"),
      "custody_key", [&](Row& row) { contents.custody_keys.push_back(read_custody_key(row)); });
}

/// A row that named a custody key which is about to be destroyed would be lost with it.
Result<void> SqliteStore::expect_wraps(const ObjectName& custody_key) {
  auto found =
      database_.prepare("SELECT 1 FROM custody_key WHERE object_name = $1 AND state IN ($2, $3)");
  TRY_ASSIGN(const bool wraps, found.bind(custody_key)
                                   .bind(CustodyKeyState::kCurrent)
                                   .bind(CustodyKeyState::kRetiring)
                                   .next());
  if (!wraps) return gone();
  return {};
}

Result<void> SqliteStore::begin_custody_key(const CustodyKeyRecord& key) {
  return transact(Transaction::Kind::kWrite, [&] {
    return exactly_one(
        database_
            .prepare("INSERT INTO custody_key (object_name, state, check_value, created_at)"
                     " VALUES ($1, $2, $3, $4)")
            .bind(key.object_name)
            .bind(CustodyKeyState::kIntended)
            .bind(key.check_value)
            .bind(key.created_at)
            .run());
  });
}

Result<void> SqliteStore::finish_custody_key(const ObjectName& object_name,
                                             const Bytes& check_value) {
  return transact(Transaction::Kind::kWrite, [&]() -> Result<void> {
    TRY(database_.prepare("UPDATE custody_key SET state = $1 WHERE state = $2")
            .bind(CustodyKeyState::kRetiring)
            .bind(CustodyKeyState::kCurrent)
            .run());
    return exactly_one(database_
                           .prepare("UPDATE custody_key SET state = $1, check_value = $2"
                                    " WHERE object_name = $3 AND state = $4")
                           .bind(CustodyKeyState::kCurrent)
                           .bind(check_value)
                           .bind(object_name)
                           .bind(CustodyKeyState::kIntended)
                           .run());
  });
}

Result<void> SqliteStore::rewrap_material(const ObjectName& material, const ObjectName& from,
                                          const WrappedRecord& wrapped) {
  return transact(Transaction::Kind::kWrite, [&]() -> Result<void> {
    TRY(expect_wraps(wrapped.custody_key));
    return exactly_one(
        database_
            .prepare("UPDATE key_material SET custody_key = $1, wrapped = $2, seal = $3"
                     " WHERE object_name = $4 AND custody_key = $5")
            .bind(wrapped.custody_key)
            .bind(wrapped.blob)
            .bind(wrapped.seal)
            .bind(material)
            .bind(from)
            .run());
  });
}

Result<void> SqliteStore::condemn_custody_key(const ObjectName& object_name) {
  return transact(Transaction::Kind::kWrite, [&]() -> Result<void> {
    auto named = database_.prepare("SELECT 1 FROM key_material WHERE custody_key = $1 LIMIT 1");
    TRY_ASSIGN(const bool needed, named.bind(object_name).next());
    if (needed) return gone();
    return exactly_one(
        database_.prepare("UPDATE custody_key SET state = $1 WHERE object_name = $2 AND state = $3")
            .bind(CustodyKeyState::kDestroying)
            .bind(object_name)
            .bind(CustodyKeyState::kRetiring)
            .run());
  });
}

Result<void> SqliteStore::erase_custody_key(const ObjectName& object_name) {
  return transact(Transaction::Kind::kWrite, [&]() -> Result<void> {
    auto found = database_.prepare("SELECT 1 FROM custody_key WHERE object_name = $1");
    TRY_ASSIGN(const bool is_there, found.bind(object_name).next());
    if (!is_there) return {};
    return exactly_one(
        database_.prepare("DELETE FROM custody_key WHERE object_name = $1 AND state IN ($2, $3)")
            .bind(object_name)
            .bind(CustodyKeyState::kIntended)
            .bind(CustodyKeyState::kDestroying)
            .run());
  });
}

}  // namespace keyhold::store

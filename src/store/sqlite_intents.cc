// Rows of intent.
#include "store/sqlite_rows.h"
#include "store/sqlite_store.h"

namespace keyhold::store {
namespace {

IntentRecord read_intent(Row& row) {
  IntentRecord intent;
  intent.object_name = row.object_name();
  intent.kind = row.word<IntentKind>();
  intent.key_id = row.text();
  intent.started_at = row.time();
  return intent;
}

}  // namespace

Result<void> SqliteStore::load_intents(Contents& contents) {
  return for_each_row(
      database_.prepare(
          "SELECT object_name, kind, key_id, started_at FROM intent ORDER BY object_name"),
      "intent", [&](Row& row) { contents.intents.push_back(read_intent(row)); });
}

Result<void> SqliteStore::insert_intent(const IntentRecord& intent) {
  return exactly_one(database_
                         .prepare("INSERT INTO intent (object_name, kind, key_id, started_at)"
                                  " VALUES ($1, $2, $3, $4)")
                         .bind(intent.object_name)
                         .bind(intent.kind)
                         .bind(intent.key_id)
                         .bind(intent.started_at)
                         .run());
}

Result<void> SqliteStore::replace_intent(const ObjectName& old_name, const ObjectName& new_name) {
  return transact(Transaction::Kind::kWrite, [&]() -> Result<void> {
    // The name of a material that exists cannot be another attempt's.
    auto material = database_.prepare("SELECT 1 FROM key_material WHERE object_name = $1");
    TRY_ASSIGN(const bool taken, material.bind(new_name).next());
    if (taken) return gone();
    return exactly_one(
        database_.prepare("UPDATE intent SET object_name = $1 WHERE object_name = $2")
            .bind(new_name)
            .bind(old_name)
            .run());
  });
}

Result<void> SqliteStore::withdraw_intent(const ObjectName& object_name) {
  return transact(Transaction::Kind::kWrite, [&] {
    return exactly_one(
        database_.prepare("DELETE FROM intent WHERE object_name = $1").bind(object_name).run());
  });
}

}  // namespace keyhold::store

// Rows of key_last_usage.
#include "store/sqlite_rows.h"
#include "store/sqlite_store.h"

namespace keyhold::store {

Result<void> SqliteStore::load_usages(Contents& contents) {
  return for_each_row(database_.prepare("SELECT key_id, operation, used_at, event_id, request_id"
                                        " FROM key_last_usage ORDER BY key_id"),
                      "key_last_usage", [&](Row& row) {
                        UsageRecord usage;
                        usage.key_id = row.text();
                        usage.operation = row.text();
                        usage.used_at = row.time();
                        usage.event_id = row.text();
                        usage.request_id = row.text();
                        contents.usages.push_back(std::move(usage));
                      });
}

Result<void> SqliteStore::put_usages(std::span<const UsageRecord> usages) {
  return transact(Transaction::Kind::kWrite, [&]() -> Result<void> {
    for (const UsageRecord& usage : usages) {
      // Of a key that is gone there is nothing to note.
      TRY(database_
              .prepare("INSERT INTO key_last_usage (key_id, operation, used_at, event_id,"
                       " request_id) SELECT id, $2, $3, $4, $5 FROM kms_key WHERE id = $1"
                       " ON CONFLICT (key_id) DO UPDATE SET operation = excluded.operation,"
                       " used_at = excluded.used_at, event_id = excluded.event_id,"
                       " request_id = excluded.request_id"
                       " WHERE excluded.used_at >= key_last_usage.used_at")
              .bind(usage.key_id)
              .bind(usage.operation)
              .bind(usage.used_at)
              .bind(usage.event_id)
              .bind(usage.request_id)
              .run());
    }
    return {};
  });
}

}  // namespace keyhold::store

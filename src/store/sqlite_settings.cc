// Rows of setting.
#include "store/sqlite_rows.h"
#include "store/sqlite_store.h"

namespace keyhold::store {
Result<std::optional<std::string>> SqliteStore::setting(std::string_view name) {
  return transact(Transaction::Kind::kRead, [&]() -> Result<std::optional<std::string>> {
    auto statement = database_.prepare("SELECT value FROM setting WHERE name = $1");
    TRY_ASSIGN(const bool found, statement.bind(name).next());
    if (!found) return std::optional<std::string>();
    return std::optional<std::string>(statement.text(0));
  });
}

Result<void> SqliteStore::put_setting(std::string_view name, std::string_view value) {
  return transact(Transaction::Kind::kWrite, [&] {
    return exactly_one(database_
                           .prepare("INSERT INTO setting (name, value) VALUES ($1, $2)"
                                    " ON CONFLICT (name) DO UPDATE SET value = excluded.value")
                           .bind(name)
                           .bind(value)
                           .run());
  });
}

}  // namespace keyhold::store

// Rows of alias.
#include "store/sqlite_rows.h"
#include "store/sqlite_store.h"

namespace keyhold::store {
namespace {

AliasRecord read_alias(Row& row) {
  AliasRecord alias;
  alias.account = row.text();
  alias.region = row.text();
  alias.name = row.text();
  alias.target_key_id = row.text();
  alias.created_at = row.time();
  alias.updated_at = row.time();
  return alias;
}

}  // namespace

Result<void> SqliteStore::load_aliases(Contents& contents) {
  return for_each_row(
      database_.prepare(
          "SELECT account, region, name, target_key_id, created_at, updated_at FROM alias"
          " ORDER BY account, region, name"),
      "alias", [&](Row& row) { contents.aliases.push_back(read_alias(row)); });
}

Result<void> SqliteStore::insert_alias(const AliasRecord& alias) {
  return transact(Transaction::Kind::kWrite, [&]() -> Result<void> {
    TRY_ASSIGN(const int inserted,
               database_
                   .prepare("INSERT INTO alias (account, region, name, target_key_id, created_at,"
                            " updated_at) VALUES ($1, $2, $3, $4, $5, $6)"
                            " ON CONFLICT (account, region, name) DO NOTHING")
                   .bind(alias.account)
                   .bind(alias.region)
                   .bind(alias.name)
                   .bind(alias.target_key_id)
                   .bind(alias.created_at)
                   .bind(alias.updated_at)
                   .run());
    if (inserted == 0) return Error(ErrorCode::kAlreadyExists);
    return {};
  });
}

Result<void> SqliteStore::update_alias(const AliasRecord& alias) {
  return transact(Transaction::Kind::kWrite, [&]() -> Result<void> {
    TRY_ASSIGN(const int updated,
               database_
                   .prepare("UPDATE alias SET target_key_id = $1, created_at = $2, updated_at = $3"
                            " WHERE account = $4 AND region = $5 AND name = $6")
                   .bind(alias.target_key_id)
                   .bind(alias.created_at)
                   .bind(alias.updated_at)
                   .bind(alias.account)
                   .bind(alias.region)
                   .bind(alias.name)
                   .run());
    if (updated == 0) return Error(ErrorCode::kNotFound);
    return {};
  });
}

Result<void> SqliteStore::delete_alias(std::string_view account, std::string_view region,
                                       std::string_view name) {
  return transact(Transaction::Kind::kWrite, [&]() -> Result<void> {
    TRY_ASSIGN(
        const int deleted,
        database_.prepare("DELETE FROM alias WHERE account = $1 AND region = $2 AND name = $3")
            .bind(account)
            .bind(region)
            .bind(name)
            .run());
    if (deleted == 0) return Error(ErrorCode::kNotFound);
    return {};
  });
}

}  // namespace keyhold::store

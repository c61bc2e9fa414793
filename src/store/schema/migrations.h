// The numbered steps that make a database what this program reads and writes.
#pragma once

#include <span>
#include <string_view>

namespace keyhold::store {

/// One step: `sql` takes a database of schema `version` - 1 to `version`, in one transaction.
/// Written in the common subset of SQLite and PostgreSQL.
struct Migration {
  int version;
  std::string_view sql;
};

/// All of them, by version, from 1 without gaps. A released one is never changed.
std::span<const Migration> migrations();

/// The table that tells which steps a database has seen, one row each. Not itself a step, because
/// it is read to learn which steps there were.
inline constexpr std::string_view kSchemaVersionTable =
    "CREATE TABLE schema_version (version INTEGER NOT NULL PRIMARY KEY)";

}  // namespace keyhold::store

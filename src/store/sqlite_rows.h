// What the files that read and write rows have in common.
#pragma once

#include <string_view>

#include "store/sqlite_database.h"

namespace keyhold::store {

/// A write that found no row where its caller had read one.
inline Error gone() { return Error(ErrorCode::kConflict, {}, "store: the row has changed"); }

/// gone() unless the statement wrote one row.
inline Result<void> exactly_one(Result<int> rows) {
  if (!rows) return rows.error();
  if (*rows != 1) return gone();
  return {};
}

/// Gives each row of the statement's answer to `take`; an error if one has a column that is not of
/// the form it is read in, whatever was made of it.
template <typename Take>
Result<void> for_each_row(Statement statement, std::string_view table, Take take) {
  for (;;) {
    TRY_ASSIGN(const bool more, statement.next());
    if (!more) return {};
    Row row(statement, table);
    take(row);
    TRY(row.status());
  }
}

}  // namespace keyhold::store

// The few things the store asks of SQLite: a connection, a statement, a transaction.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"
#include "store/words.h"

struct sqlite3;
struct sqlite3_stmt;

namespace keyhold::store {

/// A failed call of SQLite: its extended result code and its own words.
struct SqliteFailure {
  int code;
  std::string words;
};

/// What a failure means to the store's callers: kConflict for a broken UNIQUE, PRIMARY KEY or
/// FOREIGN KEY (a row that somebody else wrote or took away), else kKmsInternal; without a message.
Error to_error(const SqliteFailure& failure);

/// Either nothing or a failure; kept apart from Result because open() needs SQLite's own code.
using SqliteStatus = std::optional<SqliteFailure>;

/// One prepared statement. Parameters are written $1, $2, … as PostgreSQL has them; to SQLite those
/// are names, so each call of bind() names the next one.
class Statement {
 public:
  Statement(sqlite3* database, std::string_view sql);

  /// The next parameter. Words go by their spelling, byte strings as hexadecimal.
  Statement& bind(std::string_view text);
  Statement& bind(std::int64_t number);
  Statement& bind(int number) { return bind(std::int64_t{number}); }
  Statement& bind(std::uint64_t number);
  Statement& bind(TimePoint time) { return bind(std::int64_t{time.time_since_epoch().count()}); }
  Statement& bind(const ObjectName& name) { return bind(std::string_view(name.hex())); }
  Statement& bind(const Bytes& bytes) { return bind(std::string_view(to_hex(bytes))); }
  template <typename Word>
  requires std::is_enum_v<Word> Statement& bind(Word word) { return bind(to_string(word)); }
  template <typename T>
  Statement& bind(const std::optional<T>& value) {
    return value ? bind(*value) : bind_null();
  }

  /// Runs to the next row. True: there is one, to be read with column functions.
  Result<bool> next();
  /// Runs to the end; the number of rows it wrote.
  Result<int> run();
  /// The same, as SQLite reports it.
  SqliteStatus finish();

  std::string_view text(int column) const;
  std::int64_t integer(int column) const;
  bool is_text(int column) const;
  bool is_integer(int column) const;
  bool is_null(int column) const;
  std::string_view column_name(int column) const;

 private:
  Statement& bind_null();
  int next_parameter();
  void note(int code);
  SqliteFailure failure(int code) const;

  struct Finalizer {
    void operator()(sqlite3_stmt* statement) const;
  };

  sqlite3* database_;
  std::unique_ptr<sqlite3_stmt, Finalizer> statement_;
  int bound_ = 0;
  SqliteStatus failed_;
};

/// Reads the columns of a row one after the other. What is not of the asked form (only damage or a
/// foreign hand leaves that) is remembered, and everything after it reads as nothing.
class Row {
 public:
  /// `table` names the row in the log, together with its first column.
  Row(const Statement& statement, std::string_view table) : statement_(statement), table_(table) {}

  std::string text();
  TimePoint time();
  std::optional<TimePoint> optional_time();
  bool flag();
  std::uint64_t counter();
  int small_number();
  ObjectName object_name();
  std::optional<ObjectName> optional_object_name();
  Bytes bytes();
  template <typename Word>
  Word word() {
    const int column = column_++;
    if (statement_.is_text(column)) {
      if (const auto parsed = parse_word<Word>(statement_.text(column))) return *parsed;
    }
    refuse(column);
    return Word{};
  }
  template <typename Word>
  std::optional<Word> optional_word() {
    if (statement_.is_null(column_)) {
      ++column_;
      return std::nullopt;
    }
    return word<Word>();
  }

  /// Whether all that was read was of the asked form.
  Result<void> status() const;

 private:
  std::int64_t number(std::int64_t least, std::int64_t most);
  void refuse(int column);

  const Statement& statement_;
  std::string_view table_;
  int column_ = 0;
  std::optional<int> refused_;
};

/// A connection to a database file. Not safe to use from two threads at once.
class SqliteDatabase {
 public:
  enum class Mode : std::uint8_t { kCreate, kExisting };

  SqliteDatabase() = default;
  SqliteDatabase(SqliteDatabase&&) noexcept = default;
  SqliteDatabase& operator=(SqliteDatabase&&) noexcept = default;

  /// Opens `path` and sets what each connection needs: the file to ourselves, commits that are on
  /// the disk when they return, foreign keys. Nothing is read or written yet.
  SqliteStatus open(const std::string& path, Mode mode);
  /// Closes, and writes what is in the write-ahead log into the file.
  void close() { database_.reset(); }

  Statement prepare(std::string_view sql) const { return {database_.get(), sql}; }
  /// Several statements without parameters.
  SqliteStatus execute(const std::string& sql) const;
  /// The first column of the first row.
  SqliteStatus query(std::string_view sql, std::string& answer) const;

  bool in_transaction() const;

 private:
  struct Closer {
    void operator()(sqlite3* database) const;
  };
  std::unique_ptr<sqlite3, Closer> database_;
};

/// A transaction: rolled back unless committed.
class Transaction {
 public:
  enum class Kind : std::uint8_t { kRead, kWrite };

  explicit Transaction(const SqliteDatabase& database) : database_(database) {}
  ~Transaction();
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;

  SqliteStatus begin(Kind kind);
  SqliteStatus commit();

 private:
  const SqliteDatabase& database_;
};

}  // namespace keyhold::store

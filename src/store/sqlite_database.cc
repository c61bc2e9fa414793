#include "store/sqlite_database.h"

#include <sqlite3.h>

#include "base/log.h"

namespace keyhold::store {
namespace {

// How long an opening waits for another process to let go of the file: a restart that overlaps
// with the end of its predecessor.
constexpr int kBusyMilliseconds = 3000;

}  // namespace

Error to_error(const SqliteFailure& failure) {
  switch (failure.code) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
    case SQLITE_CONSTRAINT_FOREIGNKEY:
      return Error(ErrorCode::kConflict, {}, "store: " + failure.words);
    default:
      return Error(ErrorCode::kKmsInternal, {},
                   "store: " + failure.words + " (" + std::to_string(failure.code) + ")");
  }
}

void Statement::Finalizer::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

Statement::Statement(sqlite3* database, std::string_view sql) : database_(database) {
  sqlite3_stmt* prepared = nullptr;
  note(sqlite3_prepare_v2(database, sql.data(), static_cast<int>(sql.size()), &prepared, nullptr));
  statement_.reset(prepared);
}

SqliteFailure Statement::failure(int code) const { return {code, sqlite3_errmsg(database_)}; }

void Statement::note(int code) {
  if (code != SQLITE_OK && !failed_) failed_ = failure(code);
}

int Statement::next_parameter() {
  const std::string name = "$" + std::to_string(++bound_);
  return sqlite3_bind_parameter_index(statement_.get(), name.c_str());
}

Statement& Statement::bind(std::string_view text) {
  if (!failed_) {
    // An empty view may have no address, which SQLite would take for NULL.
    note(sqlite3_bind_text(statement_.get(), next_parameter(), text.empty() ? "" : text.data(),
                           static_cast<int>(text.size()), SQLITE_TRANSIENT));
  }
  return *this;
}

Statement& Statement::bind(std::int64_t number) {
  if (!failed_) note(sqlite3_bind_int64(statement_.get(), next_parameter(), number));
  return *this;
}

Statement& Statement::bind(std::uint64_t number) {
  if (number > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    if (!failed_) failed_ = SqliteFailure{SQLITE_RANGE, "a number is beyond 63 bits"};
    return *this;
  }
  return bind(static_cast<std::int64_t>(number));
}

Statement& Statement::bind_null() {
  if (!failed_) note(sqlite3_bind_null(statement_.get(), next_parameter()));
  return *this;
}

Result<bool> Statement::next() {
  if (failed_) return to_error(*failed_);
  const int code = sqlite3_step(statement_.get());
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  failed_ = failure(code);
  return to_error(*failed_);
}

SqliteStatus Statement::finish() {
  while (!failed_) {
    const int code = sqlite3_step(statement_.get());
    if (code == SQLITE_DONE) return std::nullopt;
    if (code != SQLITE_ROW) failed_ = failure(code);
  }
  return failed_;
}

Result<int> Statement::run() {
  if (const auto failed = finish()) return to_error(*failed);
  return sqlite3_changes(database_);
}

std::string_view Statement::text(int column) const {
  const auto* text = sqlite3_column_text(statement_.get(), column);
  if (text == nullptr) return {};
  return {reinterpret_cast<const char*>(text),
          static_cast<std::size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_.get(), column);
}

bool Statement::is_text(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_TEXT;
}

bool Statement::is_integer(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_INTEGER;
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_.get(), column) == SQLITE_NULL;
}

std::string_view Statement::column_name(int column) const {
  const char* name = sqlite3_column_name(statement_.get(), column);
  return name == nullptr ? std::string_view("?") : std::string_view(name);
}

void Row::refuse(int column) {
  if (!refused_) refused_ = column;
}

Result<void> Row::status() const {
  if (!refused_) return {};
  // The first column of each table is an identifier; the value that was refused stays out of the
  // log, since it could be anything.
  return Error(ErrorCode::kKmsInternal, {},
               "store: column " + std::string(statement_.column_name(*refused_)) + " of " +
                   std::string(table_) + " row '" + std::string(statement_.text(0)) +
                   "' holds a value that this version does not know");
}

std::string Row::text() {
  const int column = column_++;
  if (!statement_.is_text(column)) refuse(column);
  return std::string(statement_.text(column));
}

std::int64_t Row::number(std::int64_t least, std::int64_t most) {
  const int column = column_++;
  const std::int64_t value = statement_.integer(column);
  if (statement_.is_integer(column) && value >= least && value <= most) return value;
  refuse(column);
  return 0;
}

TimePoint Row::time() {
  return TimePoint(milliseconds(
      number(std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max())));
}

std::optional<TimePoint> Row::optional_time() {
  if (statement_.is_null(column_)) {
    ++column_;
    return std::nullopt;
  }
  return time();
}

bool Row::flag() { return number(0, 1) == 1; }

std::uint64_t Row::counter() {
  return static_cast<std::uint64_t>(number(0, std::numeric_limits<std::int64_t>::max()));
}

int Row::small_number() { return static_cast<int>(number(0, std::numeric_limits<int>::max())); }

ObjectName Row::object_name() {
  const int column = column_++;
  if (statement_.is_text(column)) {
    if (const auto name = ObjectName::from_hex(statement_.text(column))) return *name;
  }
  refuse(column);
  return {};
}

std::optional<ObjectName> Row::optional_object_name() {
  if (statement_.is_null(column_)) {
    ++column_;
    return std::nullopt;
  }
  return object_name();
}

Bytes Row::bytes() {
  const int column = column_++;
  if (statement_.is_text(column)) {
    if (auto bytes = from_hex(statement_.text(column))) return *std::move(bytes);
  }
  refuse(column);
  return {};
}

void SqliteDatabase::Closer::operator()(sqlite3* database) const { sqlite3_close_v2(database); }

SqliteStatus SqliteDatabase::open(const std::string& path, Mode mode) {
  sqlite3* opened = nullptr;
  const int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                    (mode == Mode::kCreate ? SQLITE_OPEN_CREATE : 0);
  const int code = sqlite3_open_v2(path.c_str(), &opened, flags, nullptr);
  database_.reset(opened);
  if (code != SQLITE_OK) {
    return SqliteFailure{code, opened ? sqlite3_errmsg(opened) : sqlite3_errstr(code)};
  }
  sqlite3_busy_timeout(opened, kBusyMilliseconds);
  // A schema that was tampered with must not run functions of ours or write into itself.
  sqlite3_db_config(opened, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(opened, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
  // EXCLUSIVE: what one process has read into memory, no other one changes behind its back.
  // secure_delete: of a wrapped key material that is erased, no copy is left in the file's free
  // pages. synchronous=FULL: in WAL mode, NORMAL would answer before the log is on the disk.
  return execute(
      "PRAGMA locking_mode=EXCLUSIVE;"
      "PRAGMA synchronous=FULL;"
      "PRAGMA foreign_keys=ON;"
      "PRAGMA secure_delete=ON;");
}

SqliteStatus SqliteDatabase::execute(const std::string& sql) const {
  char* words = nullptr;
  const int code = sqlite3_exec(database_.get(), sql.c_str(), nullptr, nullptr, &words);
  if (code == SQLITE_OK) return std::nullopt;
  SqliteFailure failure{code, words ? words : sqlite3_errstr(code)};
  sqlite3_free(words);
  return failure;
}

SqliteStatus SqliteDatabase::query(std::string_view sql, std::string& answer) const {
  Statement statement = prepare(sql);
  const auto row = statement.next();
  if (!row)
    return SqliteFailure{sqlite3_extended_errcode(database_.get()),
                         sqlite3_errmsg(database_.get())};
  answer = *row ? std::string(statement.text(0)) : std::string();
  return statement.finish();
}

bool SqliteDatabase::in_transaction() const { return sqlite3_get_autocommit(database_.get()) == 0; }

Transaction::~Transaction() {
  // Some failures (a full disk among them) have made SQLite roll back already.
  if (!database_.in_transaction()) return;
  if (const auto failed = database_.execute("ROLLBACK")) {
    log::error("store: rolling back failed: " + failed->words);
  }
}

SqliteStatus Transaction::begin(Kind kind) {
  return database_.execute(kind == Kind::kWrite ? "BEGIN IMMEDIATE" : "BEGIN");
}

SqliteStatus Transaction::commit() { return database_.execute("COMMIT"); }

}  // namespace keyhold::store

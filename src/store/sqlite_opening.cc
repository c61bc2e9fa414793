// Opening a store: the checks of its file, its making, its migrations.
#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "store/schema/migrations.h"
#include "store/sqlite_store.h"

namespace keyhold::store {
namespace {

// PRAGMA application_id of a store: "KeyH", so that no other program's database is taken for one.
constexpr std::int64_t kApplicationId = 0x4b657948;

constexpr mode_t kPrivate = S_IRUSR | S_IWUSR;

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  int get() const { return fd_; }
  bool valid() const { return fd_ >= 0; }

 private:
  int fd_;
};

Error refusal(std::string sentence, std::string detail = {}) {
  return Error(ErrorCode::kKmsInternal, std::move(sentence), std::move(detail));
}

Error system_refusal(const std::string& what) {
  return refusal(what + ": " + std::generic_category().message(errno) + ".");
}

Error damaged(const std::string& path, std::string detail) {
  return refusal("The store '" + path + "' is damaged. Put a backup of it in its place.",
                 std::move(detail));
}

Error opening_refusal(const std::string& path, const SqliteFailure& failure) {
  const std::string detail = "store: " + failure.words + " (" + std::to_string(failure.code) + ")";
  switch (failure.code & 0xff) {
    case SQLITE_NOTADB:
      return refusal("The file '" + path + "' is not a Keyhold store.", detail);
    case SQLITE_CORRUPT:
      return damaged(path, detail);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return refusal("The store '" + path + "' is in use by another process.", detail);
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
      return refusal("The store '" + path + "' cannot be opened for writing.", detail);
    case SQLITE_FULL:
      return refusal("No space is left on the disk for the store '" + path + "'.", detail);
    default:
      return refusal("The store '" + path + "' cannot be used: " + failure.words + ".", detail);
  }
}

/// The schema of the database; 0 if it has none yet.
SqliteStatus read_schema_version(const SqliteDatabase& database, std::int64_t& version) {
  std::string answer;
  auto failed =
      database.query("SELECT CAST(COALESCE(MAX(version), 0) AS TEXT) FROM schema_version", answer);
  version = answer.empty() ? 0 : std::strtoll(answer.c_str(), nullptr, 10);
  return failed;
}

SqliteStatus migrate(const SqliteDatabase& database, std::int64_t from) {
  Transaction transaction(database);
  if (auto failed = transaction.begin(Transaction::Kind::kWrite)) return failed;
  for (const Migration& migration : migrations()) {
    if (migration.version <= from) continue;
    if (auto failed = database.execute(std::string(migration.sql))) return failed;
    Statement row = database.prepare("INSERT INTO schema_version (version) VALUES ($1)");
    if (auto failed = row.bind(migration.version).finish()) return failed;
  }
  return transaction.commit();
}

/// Makes a store under another name and gives it its own when it is whole, so that a file of that
/// name with nothing in it is damage and not a beginning. The caller holds the folder's lock.
Result<void> create(const std::string& path, int folder) {
  struct stat status {};
  const std::string log = path + "-wal";
  if (::stat(log.c_str(), &status) == 0) {
    // A new file beside the old log would be overwritten with pieces of the old one.
    return refusal("The store '" + path + "' is missing, but its log '" + log +
                   "' is there. Put both back, or remove the log to begin anew.");
  }
  const std::string draft = path + ".new";
  for (const char* suffix : {"", "-journal", "-wal", "-shm"}) {
    if (::unlink((draft + suffix).c_str()) != 0 && errno != ENOENT) {
      return system_refusal("The file '" + draft + suffix + "' cannot be removed");
    }
  }
  {
    // SQLite gives its log the mode of the database.
    const FileDescriptor file(
        ::open(draft.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, kPrivate));
    if (!file.valid() || ::fchmod(file.get(), kPrivate) != 0) {
      return system_refusal("The store '" + path + "' cannot be made");
    }
  }
  {
    SqliteDatabase database;
    auto failed = database.open(draft, SqliteDatabase::Mode::kExisting);
    if (!failed) {
      failed = database.execute("PRAGMA application_id=" + std::to_string(kApplicationId) + ";" +
                                std::string(kSchemaVersionTable) + ";");
    }
    if (!failed) failed = migrate(database, 0);
    std::string mode;
    if (!failed) failed = database.query("PRAGMA journal_mode=WAL", mode);
    if (failed) {
      database.close();
      for (const char* suffix : {"", "-journal", "-wal", "-shm"}) {
        ::unlink((draft + suffix).c_str());
      }
      return opening_refusal(path, *failed);
    }
  }
  const FileDescriptor file(::open(draft.c_str(), O_RDWR | O_CLOEXEC));
  if (!file.valid() || ::fsync(file.get()) != 0 || ::rename(draft.c_str(), path.c_str()) != 0 ||
      ::fsync(folder) != 0) {
    return system_refusal("The store '" + path + "' cannot be made");
  }
  return {};
}

/// Whether the file is a store of ours, whole, of a schema that we know.
Result<void> examine(const SqliteDatabase& database, const std::string& path,
                     std::int64_t& version) {
  std::string answer;
  if (const auto failed = database.query("PRAGMA application_id", answer)) {
    return opening_refusal(path, *failed);
  }
  if (answer != std::to_string(kApplicationId)) {
    return refusal("The file '" + path + "' is not a Keyhold store.");
  }
  // The file has no checksums: this is what finds a damaged page before a request does.
  for (const char* check : {"PRAGMA integrity_check(1)", "PRAGMA foreign_key_check"}) {
    if (const auto failed = database.query(check, answer)) return opening_refusal(path, *failed);
    if (!answer.empty() && answer != "ok") return damaged(path, "store: " + answer);
  }
  if (const auto failed = read_schema_version(database, version)) {
    return damaged(path, "store: " + failed->words);
  }
  const auto known = migrations().back().version;
  if (version > known) {
    return refusal("The store '" + path + "' has schema " + std::to_string(version) +
                   ", and this program knows schemas up to " + std::to_string(known) +
                   ": it was written by a newer Keyhold. Use that one.");
  }
  return {};
}

}  // namespace

Result<std::unique_ptr<SqliteStore>> SqliteStore::open(const std::string& path) {
  std::filesystem::path parent = std::filesystem::path(path).parent_path();
  if (parent.empty()) parent = ".";
  const FileDescriptor folder(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid()) {
    return system_refusal("The folder '" + parent.string() + "' of the store cannot be opened");
  }
  // Two processes that find no store must not both make one.
  if (::flock(folder.get(), LOCK_EX) != 0) {
    return system_refusal("The folder '" + parent.string() + "' of the store cannot be locked");
  }
  // SQLite keeps its log beside the file, so both must be writable. Asked beforehand because the
  // system's reason says more than SQLite's.
  if (::faccessat(AT_FDCWD, parent.c_str(), W_OK | X_OK, AT_EACCESS) != 0) {
    return system_refusal("The folder '" + parent.string() + "' of the store cannot be written");
  }

  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno != ENOENT) return system_refusal("The store '" + path + "' cannot be opened");
    TRY(create(path, folder.get()));
  } else if (!S_ISREG(status.st_mode)) {
    return refusal("'" + path + "' is not a file, so it is no Keyhold store.");
  } else if (status.st_size == 0) {
    return damaged(path, "store: the file is empty");
  } else if (::faccessat(AT_FDCWD, path.c_str(), R_OK | W_OK, AT_EACCESS) != 0) {
    return system_refusal("The store '" + path + "' cannot be written");
  } else if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0 && ::chmod(path.c_str(), kPrivate) != 0) {
    // By name: closing a descriptor of the file would drop the locks that SQLite holds on it
    // elsewhere in this process.
    return system_refusal("The store '" + path +
                          "' can be read by others, which cannot be changed");
  }

  SqliteDatabase database;
  if (const auto failed = database.open(path, SqliteDatabase::Mode::kExisting)) {
    return opening_refusal(path, *failed);
  }
  std::int64_t version = 0;
  TRY(examine(database, path, version));
  std::string mode;
  if (const auto failed = database.query("PRAGMA journal_mode=WAL", mode)) {
    return opening_refusal(path, *failed);
  }
  if (mode != "wal") {
    return refusal("The store '" + path +
                   "' cannot be used: its file system has no write-ahead log.");
  }
  // Also where nothing is to be done: it takes the lock that this process keeps, and shows whether
  // the disk takes writes.
  if (const auto failed = migrate(database, version)) return opening_refusal(path, *failed);
  return std::unique_ptr<SqliteStore>(new SqliteStore(std::move(database)));
}

}  // namespace keyhold::store

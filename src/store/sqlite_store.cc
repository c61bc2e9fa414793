#include "store/sqlite_store.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <limits>
#include <system_error>

#include "store/schema/migrations.h"

namespace keyhold::store {
namespace {

// PRAGMA application_id of a store: "KeyH", so that no other program's database is taken for one.
constexpr std::int64_t kApplicationId = 0x4b657948;

constexpr mode_t kPrivate = S_IRUSR | S_IWUSR;

/// A write that found no row where its caller had read one.
Error gone() { return Error(ErrorCode::kConflict, {}, "store: the row has changed"); }

Result<void> exactly_one(Result<int> rows) {
  if (!rows) return rows.error();
  if (*rows != 1) return gone();
  return {};
}

// ---------------------------------------------------------------------------------------------
// Opening
// ---------------------------------------------------------------------------------------------

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

// ---------------------------------------------------------------------------------------------
// Reading
// ---------------------------------------------------------------------------------------------

template <typename Body>
auto SqliteStore::transact(Transaction::Kind kind, Body body) -> decltype(body()) {
  const std::lock_guard lock(mutex_);
  Transaction transaction(database_);
  if (const auto failed = transaction.begin(kind)) return to_error(*failed);
  auto result = body();
  if (!result) return result;
  if (const auto failed = transaction.commit()) return to_error(*failed);
  return result;
}

Result<Contents> SqliteStore::load() {
  return transact(Transaction::Kind::kRead, [&]() -> Result<Contents> {
    Contents contents;

    auto keys = database_.prepare(
        "SELECT id, account, region, spec, key_usage, origin, state, description, created_at,"
        " deletion_at, destroying, rotation_enabled, rotation_period_days, next_rotation_at,"
        " on_demand_rotations, version, born FROM kms_key ORDER BY id");
    for (;;) {
      TRY_ASSIGN(const bool more, keys.next());
      if (!more) break;
      Row row(keys, "kms_key");
      KeyRecord key;
      key.id = row.text();
      key.account = row.text();
      key.region = row.text();
      key.spec = row.word<KeySpec>();
      key.usage = row.word<KeyUsage>();
      key.origin = row.word<KeyOrigin>();
      key.state = row.word<KeyState>();
      key.description = row.text();
      key.created_at = row.time();
      key.deletion_at = row.optional_time();
      key.destroying = row.flag();
      key.rotation_enabled = row.flag();
      key.rotation_period_days = row.small_number();
      key.next_rotation_at = row.optional_time();
      key.on_demand_rotations = row.small_number();
      key.version = row.counter();
      const bool born = row.flag();
      TRY(row.status());
      (born ? contents.keys : contents.unborn_keys).push_back(std::move(key));
    }

    auto materials = database_.prepare(
        "SELECT object_name, key_id, material_id, sequence, custody, construction, check_value,"
        " created_at, rotation_type, rotated_at, announced FROM key_material"
        " ORDER BY key_id, sequence");
    for (;;) {
      TRY_ASSIGN(const bool more, materials.next());
      if (!more) break;
      Row row(materials, "key_material");
      MaterialRecord material;
      material.object_name = row.object_name();
      material.key_id = row.text();
      material.material_id = row.text();
      material.sequence = row.small_number();
      material.custody = row.word<Custody>();
      material.construction = row.word<Construction>();
      material.check_value = row.bytes();
      material.created_at = row.time();
      material.rotation_type = row.optional_word<RotationType>();
      material.rotated_at = row.optional_time();
      material.announced = row.flag();
      TRY(row.status());
      contents.materials.push_back(std::move(material));
    }

    auto intents = database_.prepare(
        "SELECT object_name, kind, key_id, started_at FROM intent ORDER BY object_name");
    for (;;) {
      TRY_ASSIGN(const bool more, intents.next());
      if (!more) break;
      Row row(intents, "intent");
      IntentRecord intent;
      intent.object_name = row.object_name();
      intent.kind = row.word<IntentKind>();
      intent.key_id = row.text();
      intent.started_at = row.time();
      TRY(row.status());
      contents.intents.push_back(std::move(intent));
    }

    auto aliases = database_.prepare(
        "SELECT account, region, name, target_key_id, created_at, updated_at FROM alias"
        " ORDER BY account, region, name");
    for (;;) {
      TRY_ASSIGN(const bool more, aliases.next());
      if (!more) break;
      Row row(aliases, "alias");
      AliasRecord alias;
      alias.account = row.text();
      alias.region = row.text();
      alias.name = row.text();
      alias.target_key_id = row.text();
      alias.created_at = row.time();
      alias.updated_at = row.time();
      TRY(row.status());
      contents.aliases.push_back(std::move(alias));
    }

    auto credentials = database_.prepare(
        "SELECT access_key_id, account, principal, sealed_secret, status, generation, created_at"
        " FROM credential ORDER BY access_key_id");
    for (;;) {
      TRY_ASSIGN(const bool more, credentials.next());
      if (!more) break;
      Row row(credentials, "credential");
      CredentialRecord credential;
      credential.access_key_id = row.text();
      credential.account = row.text();
      credential.principal = row.text();
      credential.sealed_secret = row.bytes();
      credential.status = row.word<CredentialStatus>();
      credential.generation = row.counter();
      credential.created_at = row.time();
      TRY(row.status());
      contents.credentials.push_back(std::move(credential));
    }

    return contents;
  });
}

Result<std::optional<std::string>> SqliteStore::setting(std::string_view name) {
  return transact(Transaction::Kind::kRead, [&]() -> Result<std::optional<std::string>> {
    auto statement = database_.prepare("SELECT value FROM setting WHERE name = $1");
    TRY_ASSIGN(const bool found, statement.bind(name).next());
    if (!found) return std::optional<std::string>();
    return std::optional<std::string>(statement.text(0));
  });
}

Result<void> SqliteStore::check() {
  return transact(Transaction::Kind::kRead, [&]() -> Result<void> {
    TRY(database_.prepare("SELECT MAX(version) FROM schema_version").run());
    return {};
  });
}

// ---------------------------------------------------------------------------------------------
// Writing
// ---------------------------------------------------------------------------------------------

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

Result<void> SqliteStore::insert_material(const MaterialRecord& material) {
  // The intent's end is what lets the material in: of two who finish the same attempt, one does.
  TRY(exactly_one(database_.prepare("DELETE FROM intent WHERE object_name = $1 AND key_id = $2")
                      .bind(material.object_name)
                      .bind(material.key_id)
                      .run()));
  return exactly_one(
      database_
          .prepare("INSERT INTO key_material (object_name, key_id, material_id, sequence, custody,"
                   " construction, check_value, created_at, rotation_type, rotated_at, announced,"
                   " invocations) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 0)")
          .bind(material.object_name)
          .bind(material.key_id)
          .bind(material.material_id)
          .bind(material.sequence)
          .bind(material.custody)
          .bind(material.construction)
          .bind(material.check_value)
          .bind(material.created_at)
          .bind(material.rotation_type)
          .bind(material.rotated_at)
          .bind(material.announced ? 1 : 0)
          .run());
}

Result<void> SqliteStore::begin_key(const KeyRecord& key, const IntentRecord& intent) {
  return transact(Transaction::Kind::kWrite, [&]() -> Result<void> {
    TRY(exactly_one(
        database_
            .prepare("INSERT INTO kms_key (id, account, region, spec, key_usage, origin, state,"
                     " description, created_at, deletion_at, destroying, rotation_enabled,"
                     " rotation_period_days, next_rotation_at, on_demand_rotations, version, born)"
                     " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15,"
                     " $16, 0)")
            .bind(key.id)
            .bind(key.account)
            .bind(key.region)
            .bind(key.spec)
            .bind(key.usage)
            .bind(key.origin)
            .bind(key.state)
            .bind(key.description)
            .bind(key.created_at)
            .bind(key.deletion_at)
            .bind(key.destroying ? 1 : 0)
            .bind(key.rotation_enabled ? 1 : 0)
            .bind(key.rotation_period_days)
            .bind(key.next_rotation_at)
            .bind(key.on_demand_rotations)
            .bind(key.version)
            .run()));
    return insert_intent(intent);
  });
}

Result<void> SqliteStore::finish_key(const MaterialRecord& material) {
  return transact(Transaction::Kind::kWrite, [&]() -> Result<void> {
    TRY(insert_material(material));
    return exactly_one(database_.prepare("UPDATE kms_key SET born = 1 WHERE id = $1 AND born = 0")
                           .bind(material.key_id)
                           .run());
  });
}

Result<void> SqliteStore::abandon_key(std::string_view key_id) {
  return transact(Transaction::Kind::kWrite, [&]() -> Result<void> {
    TRY(database_.prepare("DELETE FROM intent WHERE key_id = $1").bind(key_id).run());
    return exactly_one(
        database_.prepare("DELETE FROM kms_key WHERE id = $1 AND born = 0").bind(key_id).run());
  });
}

Result<void> SqliteStore::begin_rotation(const IntentRecord& intent, std::uint64_t key_version) {
  return transact(Transaction::Kind::kWrite, [&]() -> Result<void> {
    auto key = database_.prepare(
        "SELECT version FROM kms_key WHERE id = $1 AND version = $2 AND born = 1");
    TRY_ASSIGN(const bool unchanged, key.bind(intent.key_id).bind(key_version).next());
    if (!unchanged) return gone();
    return insert_intent(intent);
  });
}

Result<void> SqliteStore::write_key(const KeyRecord& key) {
  return exactly_one(
      database_
          .prepare("UPDATE kms_key SET account = $1, region = $2, spec = $3, key_usage = $4,"
                   " origin = $5, state = $6, description = $7, created_at = $8, deletion_at = $9,"
                   " destroying = $10, rotation_enabled = $11, rotation_period_days = $12,"
                   " next_rotation_at = $13, on_demand_rotations = $14, version = version + 1"
                   " WHERE id = $15 AND version = $16 AND born = 1")
          .bind(key.account)
          .bind(key.region)
          .bind(key.spec)
          .bind(key.usage)
          .bind(key.origin)
          .bind(key.state)
          .bind(key.description)
          .bind(key.created_at)
          .bind(key.deletion_at)
          .bind(key.destroying ? 1 : 0)
          .bind(key.rotation_enabled ? 1 : 0)
          .bind(key.rotation_period_days)
          .bind(key.next_rotation_at)
          .bind(key.on_demand_rotations)
          .bind(key.id)
          .bind(key.version)
          .run());
}

Result<void> SqliteStore::finish_rotation(const KeyRecord& key, const MaterialRecord& material) {
  if (material.key_id != key.id) {
    return Error(ErrorCode::kKmsInternal, {}, "store: a material of another key");
  }
  return transact(Transaction::Kind::kWrite, [&]() -> Result<void> {
    TRY(write_key(key));
    return insert_material(material);
  });
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

Result<void> SqliteStore::mark_announced(const ObjectName& object_name) {
  return transact(Transaction::Kind::kWrite, [&] {
    return exactly_one(
        database_.prepare("UPDATE key_material SET announced = 1 WHERE object_name = $1")
            .bind(object_name)
            .run());
  });
}

Result<void> SqliteStore::update_key(const KeyRecord& key) {
  return transact(Transaction::Kind::kWrite, [&] { return write_key(key); });
}

Result<void> SqliteStore::erase_key(std::string_view key_id) {
  return transact(Transaction::Kind::kWrite, [&]() -> Result<void> {
    TRY(database_.prepare("DELETE FROM alias WHERE target_key_id = $1").bind(key_id).run());
    TRY(database_.prepare("DELETE FROM intent WHERE key_id = $1").bind(key_id).run());
    TRY(database_.prepare("DELETE FROM key_material WHERE key_id = $1").bind(key_id).run());
    return exactly_one(database_.prepare("DELETE FROM kms_key WHERE id = $1").bind(key_id).run());
  });
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

Result<void> SqliteStore::insert_credential(const CredentialRecord& credential) {
  return transact(Transaction::Kind::kWrite, [&]() -> Result<void> {
    TRY_ASSIGN(const int inserted,
               database_
                   .prepare("INSERT INTO credential (access_key_id, account, principal,"
                            " sealed_secret, status, generation, created_at)"
                            " VALUES ($1, $2, $3, $4, $5, $6, $7)"
                            " ON CONFLICT (access_key_id) DO NOTHING")
                   .bind(credential.access_key_id)
                   .bind(credential.account)
                   .bind(credential.principal)
                   .bind(credential.sealed_secret)
                   .bind(credential.status)
                   .bind(credential.generation)
                   .bind(credential.created_at)
                   .run());
    if (inserted == 0) return Error(ErrorCode::kAlreadyExists);
    return {};
  });
}

Result<void> SqliteStore::update_credential(const CredentialRecord& credential) {
  return transact(Transaction::Kind::kWrite, [&]() -> Result<void> {
    TRY_ASSIGN(const int updated,
               database_
                   .prepare("UPDATE credential SET account = $1, principal = $2,"
                            " sealed_secret = $3, status = $4, generation = $5, created_at = $6"
                            " WHERE access_key_id = $7")
                   .bind(credential.account)
                   .bind(credential.principal)
                   .bind(credential.sealed_secret)
                   .bind(credential.status)
                   .bind(credential.generation)
                   .bind(credential.created_at)
                   .bind(credential.access_key_id)
                   .run());
    if (updated == 0) return Error(ErrorCode::kNotFound);
    return {};
  });
}

Result<std::uint64_t> SqliteStore::reserve_invocations(const ObjectName& material,
                                                       std::uint64_t count) {
  return transact(Transaction::Kind::kWrite, [&]() -> Result<std::uint64_t> {
    auto row = database_.prepare("SELECT invocations FROM key_material WHERE object_name = $1");
    TRY_ASSIGN(const bool found, row.bind(material).next());
    if (!found) return gone();
    if (!row.is_integer(0) || row.integer(0) < 0) {
      return Error(ErrorCode::kKmsInternal, {}, "store: a count of invocations is damaged");
    }
    const auto before = static_cast<std::uint64_t>(row.integer(0));
    constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
    if (count > kMost - before) {
      return Error(ErrorCode::kKmsInternal, {}, "store: more invocations than can be counted");
    }
    TRY(exactly_one(
        database_.prepare("UPDATE key_material SET invocations = $1 WHERE object_name = $2")
            .bind(before + count)
            .bind(material)
            .run()));
    return before;
  });
}

}  // namespace keyhold::store

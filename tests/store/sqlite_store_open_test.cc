// What opening a store refuses, what it says, and that it leaves alone what it refuses.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

#include "store/schema/migrations.h"
#include "store/sqlite_store.h"
#include "tests/store/child.h"
#include "tests/store/records.h"
#include "tests/support/temporary_folder.h"

namespace keyhold::store {
namespace {

using namespace keyhold::store::testing;
using ::keyhold::test::TemporaryFolder;
using ::keyhold::testing::run_in_child;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr uid_t kNobody = 65534;

std::string content(const std::string& path) {
  if (std::filesystem::is_directory(path)) return {};
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
}

void execute(const std::string& path, const std::string& sql) {
  sqlite3* database = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &database), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(database, sql.c_str(), nullptr, nullptr, nullptr), SQLITE_OK)
      << sqlite3_errmsg(database);
  sqlite3_close(database);
}

class SqliteStoreOpen : public ::testing::Test {
 protected:
  /// Refused with a sentence that begins so, and the file has the bytes it had.
  void expect_refused(const std::string& sentence) {
    const std::string before = content(path_);
    const auto opened = SqliteStore::open(path_);
    ASSERT_TRUE(opened.has_error());
    EXPECT_EQ(opened.error().code(), ErrorCode::kKmsInternal);
    EXPECT_EQ(opened.error().message(), sentence);
    EXPECT_EQ(content(path_), before);
  }

  /// A store with enough in it to have several pages of each table.
  Contents fill() {
    auto store = *SqliteStore::open(path_);
    for (int i = 0; i < 40; ++i) {
      const KeyRecord key = a_key();
      const IntentRecord intent = an_intent(key);
      EXPECT_OK(store->begin_key(key, intent));
      EXPECT_OK(store->finish_key(material_of(intent)));
      EXPECT_OK(store->insert_alias(an_alias(key, "alias/" + key.id)));
      EXPECT_OK(store->begin_material(an_intent(key, IntentKind::kRotateOnDemand), key.version));
      EXPECT_OK(store->insert_credential(a_credential("AKIA" + key.id)));
      EXPECT_OK(store->put_setting(key.id, std::string(200, 's')));
    }
    return *store->load();
  }

  mode_t mode_of(const std::string& path) {
    struct stat status {};
    EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
    return status.st_mode & 07777;
  }

  TemporaryFolder folder_;
  std::string path_ = folder_.file("store.db");
};

TEST_F(SqliteStoreOpen, TheFilesOfAStoreAreItsOwnersAlone) {
  const mode_t mask = ::umask(0);
  {
    const auto store = *SqliteStore::open(path_);
    EXPECT_OK(store->put_setting("name", "value"));
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      EXPECT_EQ(mode_of(entry.path()), 0600U) << entry.path();
    }
    EXPECT_EQ(mode_of(path_ + "-wal"), 0600U);
  }
  ASSERT_EQ(::chmod(path_.c_str(), 0644), 0);
  const auto again = SqliteStore::open(path_);
  EXPECT_EQ(mode_of(path_), 0600U);
  ::umask(mask);
}

TEST_F(SqliteStoreOpen, AClosedStoreIsOneFile) {
  fill();
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
    names.push_back(entry.path().filename());
  }
  EXPECT_THAT(names, ::testing::ElementsAre("store.db"));
}

TEST_F(SqliteStoreOpen, AFolderThatIsNotThereIsNamed) {
  const auto opened = SqliteStore::open(folder_.file("absent/store.db"));
  ASSERT_TRUE(opened.has_error());
  EXPECT_EQ(opened.error().message(), "The folder '" + folder_.file("absent") +
                                          "' of the store cannot be opened: "
                                          "No such file or directory.");
}

TEST_F(SqliteStoreOpen, WhatIsNoFileIsRefused) {
  std::filesystem::create_directory(path_);
  expect_refused("'" + path_ + "' is not a file, so it is no Keyhold store.");
}

TEST_F(SqliteStoreOpen, AForeignFileIsRefused) {
  write(path_, std::string(10000, 'x'));
  expect_refused("The file '" + path_ + "' is not a Keyhold store.");
}

TEST_F(SqliteStoreOpen, TheDatabaseOfAnotherProgramIsRefused) {
  execute(path_, "CREATE TABLE schema_version (version INTEGER); CREATE TABLE kms_key (id TEXT)");
  expect_refused("The file '" + path_ + "' is not a Keyhold store.");
}

// A store comes into its name whole, so an empty file is what damage has left of one.
TEST_F(SqliteStoreOpen, AnEmptyFileIsNotTakenForANewStore) {
  write(path_, "");
  expect_refused("The store '" + path_ + "' is damaged. Put a backup of it in its place.");
}

TEST_F(SqliteStoreOpen, ALogWithoutItsStoreIsNotPutIntoANewOne) {
  write(path_ + "-wal", "log");
  const auto opened = SqliteStore::open(path_);
  ASSERT_TRUE(opened.has_error());
  EXPECT_THAT(opened.error().message(), HasSubstr("is missing, but its log"));
  EXPECT_FALSE(std::filesystem::exists(path_));
  EXPECT_EQ(content(path_ + "-wal"), "log");
}

TEST_F(SqliteStoreOpen, WhatACrashDuringCreationLeavesIsInNobodysWay) {
  for (const char* leftover : {".new", ".new-wal", ".new-journal", ".new-shm"}) {
    write(path_ + leftover, "leftover");
  }
  fill();
  EXPECT_FALSE(std::filesystem::exists(path_ + ".new"));
  EXPECT_FALSE(std::filesystem::exists(path_ + ".new-wal"));
}

TEST_F(SqliteStoreOpen, AnyGarbledPageIsFoundAndTheFileLeftAsItIs) {
  fill();
  const std::string good = content(path_);
  constexpr std::size_t kPage = 4096;
  ASSERT_EQ(good.size() % kPage, 0U);
  ASSERT_GT(good.size() / kPage, 12U);
  for (std::size_t page = 0; page < good.size() / kPage; ++page) {
    SCOPED_TRACE("page " + std::to_string(page + 1));
    std::string bad = good;
    for (std::size_t i = 0; i < kPage; ++i) {
      bad[page * kPage + i] = static_cast<char>(i * 131 + page * 17 + 1);
    }
    write(path_, bad);
    expect_refused(page == 0
                       ? "The file '" + path_ + "' is not a Keyhold store."
                       : "The store '" + path_ + "' is damaged. Put a backup of it in its place.");
  }
}

TEST_F(SqliteStoreOpen, ATruncatedStoreIsDamaged) {
  fill();
  const std::string good = content(path_);
  for (const std::size_t size : {good.size() / 2, good.size() - 4096, good.size() - 1}) {
    SCOPED_TRACE(size);
    write(path_, good.substr(0, size));
    expect_refused("The store '" + path_ + "' is damaged. Put a backup of it in its place.");
  }
}

TEST_F(SqliteStoreOpen, ARowWhoseKeyIsMissingIsDamage) {
  fill();
  execute(path_, "DELETE FROM kms_key");
  expect_refused("The store '" + path_ + "' is damaged. Put a backup of it in its place.");
}

TEST_F(SqliteStoreOpen, ANewerSchemaIsRefusedAndBothAreNamed) {
  fill();
  execute(path_, "INSERT INTO schema_version (version) VALUES (4711)");
  expect_refused("The store '" + path_ +
                 "' has schema 4711, and this program knows schemas up to " +
                 std::to_string(migrations().back().version) +
                 ": it was written by a newer Keyhold. Use that one.");
}

TEST_F(SqliteStoreOpen, MigrationsAreNumberedFromOneWithoutGaps) {
  int expected = 1;
  for (const Migration& migration : migrations()) EXPECT_EQ(migration.version, expected++);
  EXPECT_GT(expected, 1);
}

// 0x4b657948 is what marks a file as a store.
constexpr char kSchemaZero[] =
    "PRAGMA application_id=0x4b657948;"
    "CREATE TABLE schema_version (version INTEGER NOT NULL PRIMARY KEY);";

TEST_F(SqliteStoreOpen, AnOlderSchemaIsBroughtUpToDate) {
  execute(path_, kSchemaZero);
  const Contents filled = fill();
  EXPECT_EQ(filled.keys.size(), 40U);
  expect_same(*(*SqliteStore::open(path_))->load(), filled);
}

TEST_F(SqliteStoreOpen, AMigrationThatFailsLeavesTheOldSchema) {
  execute(path_, std::string(kSchemaZero) + "CREATE TABLE credential (mine TEXT);");
  const auto opened = SqliteStore::open(path_);
  ASSERT_TRUE(opened.has_error());
  EXPECT_EQ(opened.error().message(),
            "The store '" + path_ + "' cannot be used: table credential already exists.");
  // Only the schema's tables would be in the way of these.
  execute(path_, "CREATE TABLE kms_key (mine TEXT); CREATE TABLE setting (mine TEXT);");
}

TEST_F(SqliteStoreOpen, AStoreBelongsToOneProcessAtATime) {
  int held[2];
  int release[2];
  ASSERT_EQ(::pipe(held), 0);
  ASSERT_EQ(::pipe(release), 0);
  const pid_t holder = ::fork();
  if (holder == 0) {
    const auto store = SqliteStore::open(path_);
    char byte = store ? 'y' : 'n';
    if (::write(held[1], &byte, 1) != 1 || ::read(release[0], &byte, 1) != 1) ::_exit(1);
    ::_exit(0);
  }
  char byte = 0;
  ASSERT_EQ(::read(held[0], &byte, 1), 1);
  ASSERT_EQ(byte, 'y');
  const auto second = SqliteStore::open(path_);
  ASSERT_TRUE(second.has_error());
  EXPECT_EQ(second.error().message(), "The store '" + path_ + "' is in use by another process.");
  ASSERT_EQ(::write(release[1], &byte, 1), 1);
  int status = 0;
  ASSERT_EQ(::waitpid(holder, &status, 0), holder);
  EXPECT_EQ(status, 0);
  EXPECT_OK(SqliteStore::open(path_));
  for (const int fd : {held[0], held[1], release[0], release[1]}) ::close(fd);
}

// To root everything is writable, so these are tried as somebody else.
void become_nobody() {
  if (::geteuid() == 0 && (::setgid(kNobody) != 0 || ::setuid(kNobody) != 0)) {
    ::keyhold::testing::skip_in_child();
  }
}

TEST_F(SqliteStoreOpen, AFolderThatCannotBeWrittenIsNamedWithTheReason) {
  fill();
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0555), 0);
  ASSERT_EQ(::chmod(path_.c_str(), 0666), 0);
  const int status = run_in_child([&] {
    become_nobody();
    expect_refused("The folder '" + folder_.path().string() +
                   "' of the store cannot be written: Permission denied.");
  });
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0755), 0);
  if (status == ::keyhold::testing::kSkipped) GTEST_SKIP();
  EXPECT_EQ(status, 0);
}

TEST_F(SqliteStoreOpen, AFileThatCannotBeWrittenIsNamedWithTheReason) {
  fill();
  ASSERT_EQ(::chmod(folder_.path().c_str(), 0777), 0);
  ASSERT_EQ(::chmod(path_.c_str(), 0444), 0);
  const int status = run_in_child([&] {
    become_nobody();
    expect_refused("The store '" + path_ + "' cannot be written: Permission denied.");
  });
  if (status == ::keyhold::testing::kSkipped) GTEST_SKIP();
  EXPECT_EQ(status, 0);
}

TEST_F(SqliteStoreOpen, AReadOnlyDiskIsNamedAndTheStoreIsThereWhenItIsWritableAgain) {
  const int status = run_in_child([&] {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", folder_.path().c_str(), "tmpfs", 0, "size=64m") != 0) {
      ::keyhold::testing::skip_in_child();
    }
    const Contents filled = fill();
    const auto remount = [&](unsigned long flags) {
      return ::mount(nullptr, folder_.path().c_str(), nullptr, MS_REMOUNT | flags, "size=64m");
    };
    ASSERT_EQ(remount(MS_RDONLY), 0);
    expect_refused("The folder '" + folder_.path().string() +
                   "' of the store cannot be written: Read-only file system.");
    ASSERT_EQ(remount(0), 0);
    expect_same(*(*SqliteStore::open(path_))->load(), filled);
  });
  if (status == ::keyhold::testing::kSkipped) GTEST_SKIP() << "mounting is not allowed here";
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace keyhold::store

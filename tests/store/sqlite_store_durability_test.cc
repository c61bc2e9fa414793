// What is acknowledged stays, and what fails changes nothing: kills, full disks, missing syncs.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sqlite3.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <map>
#include <random>
#include <set>
#include <string>
#include <thread>

#include "store/sqlite_store.h"
#include "tests/store/child.h"
#include "tests/store/records.h"
#include "tests/support/temporary_folder.h"

namespace keyhold::store {
namespace {

using namespace keyhold::store::testing;
using ::keyhold::test::TemporaryFolder;
using ::keyhold::testing::run_in_child;

// ---------------------------------------------------------------------------------------------
// Kills
// ---------------------------------------------------------------------------------------------

/// What the writer says on its pipe once the store has acknowledged it.
struct Acknowledged {
  enum class What : std::uint8_t { kBegun, kBorn, kRotated, kErased };
  What what;
  char key_id[36];
  ObjectName name;
};

/// Makes keys, rotates each once and erases every third, until it is killed.
[[noreturn]] void write_until_killed(const std::string& path, int pipe) {
  auto opened = SqliteStore::open(path);
  if (!opened) ::_exit(1);
  SqliteStore& store = **opened;
  const auto acknowledge = [&](Acknowledged::What what, const KeyRecord& key,
                               const ObjectName& name) {
    Acknowledged message{.what = what, .key_id = {}, .name = name};
    std::memcpy(message.key_id, key.id.data(), sizeof message.key_id);
    if (::write(pipe, &message, sizeof message) != sizeof message) ::_exit(1);
  };
  for (int i = 0;; ++i) {
    KeyRecord key = a_key();
    const IntentRecord creation = an_intent(key);
    if (!store.begin_key(key, creation)) ::_exit(1);
    acknowledge(Acknowledged::What::kBegun, key, creation.object_name);
    if (!store.finish_key(material_of(creation))) ::_exit(1);
    acknowledge(Acknowledged::What::kBorn, key, creation.object_name);
    const IntentRecord rotation = an_intent(key, IntentKind::kRotateOnDemand);
    if (!store.begin_material(rotation, key.version)) ::_exit(1);
    key.on_demand_rotations = 1;
    if (!store.finish_rotation(key, material_of(rotation, 1))) ::_exit(1);
    acknowledge(Acknowledged::What::kRotated, key, rotation.object_name);
    if (i % 3 == 2) {
      if (!store.erase_key(key.id)) ::_exit(1);
      acknowledge(Acknowledged::What::kErased, key, rotation.object_name);
    }
  }
}

TEST(SqliteStoreDurability,
     AWriterKilledAtAnyTimeLosesNothingItAcknowledgedAndLeavesNothingHalfDone) {
  constexpr int kRounds = 50;
  const TemporaryFolder folder;
  const std::string path = folder.file("store.db");
  std::minstd_rand random(20261124);  // NOLINT(cert-msc51-cpp): the same delays in every run
  std::map<std::string, std::vector<Acknowledged>> acknowledged;
  std::size_t count = 0;

  for (int round = 0; round < kRounds; ++round) {
    SCOPED_TRACE("round " + std::to_string(round));
    int pipe[2];
    ASSERT_EQ(::pipe(pipe), 0);
    const pid_t writer = ::fork();
    if (writer == 0) write_until_killed(path, pipe[1]);
    ::close(pipe[1]);
    Acknowledged message{};
    const auto read_one = [&] {
      if (::read(pipe[0], &message, sizeof message) != sizeof message) return false;
      acknowledged[std::string(message.key_id, sizeof message.key_id)].push_back(message);
      ++count;
      return true;
    };
    // Every fifth round is killed while the store is being opened, the first while it is made; the
    // others after some writes, however slow the machine is, and a moment more.
    const auto writes = round % 5 == 0 ? 0 : 1 + random() % 30;
    for (std::uint_fast32_t i = 0; i < writes; ++i) {
      ASSERT_TRUE(read_one()) << "the writer failed by itself";
    }
    std::this_thread::sleep_for(std::chrono::microseconds(random() % 2000));
    ASSERT_EQ(::kill(writer, SIGKILL), 0);
    int status = 0;
    ASSERT_EQ(::waitpid(writer, &status, 0), writer);
    ASSERT_TRUE(WIFSIGNALED(status)) << "the writer failed by itself";
    while (read_one()) {
    }
    ::close(pipe[0]);

    auto opened = SqliteStore::open(path);
    ASSERT_TRUE(opened.has_value()) << reason(opened);
    const Contents contents = *(*opened)->load();
    std::map<std::string, const KeyRecord*> born;
    std::set<std::string> unborn;
    std::map<std::string, std::vector<ObjectName>> materials;
    std::map<std::string, IntentKind> intents;
    for (const auto& key : contents.keys) born[key.id] = &key;
    for (const auto& key : contents.unborn_keys) unborn.insert(key.id);
    for (const auto& material : contents.materials) {
      materials[material.key_id].push_back(material.object_name);
    }
    for (const auto& intent : contents.intents) intents[intent.key_id] = intent.kind;

    for (const auto& [id, messages] : acknowledged) {
      SCOPED_TRACE(id);
      for (const auto& said : messages) {
        const auto& names = materials[id];
        const bool last = &said == &messages.back();
        switch (said.what) {
          case Acknowledged::What::kBegun:
            EXPECT_TRUE(!last || born.count(id) == 1 || unborn.count(id) == 1);
            break;
          case Acknowledged::What::kBorn:
            if (last) {
              EXPECT_EQ(born.count(id), 1U);
              ASSERT_FALSE(names.empty());
              EXPECT_EQ(names.front(), said.name);
            }
            break;
          case Acknowledged::What::kRotated:
            // The erasing may have happened and not have been said.
            if (last && born.count(id) == 1) {
              ASSERT_EQ(names.size(), 2U);
              EXPECT_EQ(names.back(), said.name);
            }
            break;
          case Acknowledged::What::kErased:
            EXPECT_EQ(born.count(id), 0U);
            EXPECT_TRUE(names.empty());
            break;
        }
      }
    }
    // Old state or new, nothing between.
    for (const auto& [id, key] : born) {
      ASSERT_EQ(materials[id].size(), static_cast<std::size_t>(key->on_demand_rotations) + 1);
      EXPECT_EQ(key->version, static_cast<std::uint64_t>(key->on_demand_rotations));
      if (intents.count(id) == 1) {
        EXPECT_EQ(intents[id], IntentKind::kRotateOnDemand);
        EXPECT_EQ(key->on_demand_rotations, 0);
      }
    }
    for (const auto& id : unborn) {
      EXPECT_EQ(intents.at(id), IntentKind::kCreateKey);
      EXPECT_TRUE(materials[id].empty());
    }
  }
  EXPECT_GE(count, 40U);
}

// ---------------------------------------------------------------------------------------------
// Full disks
// ---------------------------------------------------------------------------------------------

/// Writes until the store refuses; then what was acknowledged is there, and nothing else.
std::map<std::string, std::string> write_until_refused(SqliteStore& store) {
  std::map<std::string, std::string> acknowledged;
  for (int i = 0; i < 10000; ++i) {
    const std::string name = "setting-" + std::to_string(i);
    const std::string value(3000, static_cast<char>('a' + i % 26));
    const auto put = store.put_setting(name, value);
    if (put) {
      acknowledged[name] = value;
      continue;
    }
    EXPECT_EQ(put.error().code(), ErrorCode::kKmsInternal);
    EXPECT_EQ(put.error().message(), "");
    EXPECT_NE(put.error().detail(), "");
    EXPECT_EQ(*store.setting(name), std::nullopt);
    return acknowledged;
  }
  ADD_FAILURE() << "the disk never filled up";
  return acknowledged;
}

void expect_settings(SqliteStore& store, const std::map<std::string, std::string>& expected) {
  for (const auto& [name, value] : expected) {
    const auto found = store.setting(name);
    ASSERT_TRUE(found.has_value()) << reason(found);
    EXPECT_EQ(*found, value) << name;
  }
}

TEST(SqliteStoreDurability, AFullDiskLosesNothingAndTheStoreWorksAgainWhenThereIsSpace) {
  const TemporaryFolder folder;
  const int status = run_in_child([&] {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=1m") != 0) {
      ::keyhold::testing::skip_in_child();
    }
    const std::string path = folder.file("store.db");
    std::map<std::string, std::string> acknowledged;
    {
      auto store = *SqliteStore::open(path);
      acknowledged = write_until_refused(*store);
      EXPECT_GT(acknowledged.size(), 20U);
      expect_settings(*store, acknowledged);
      EXPECT_OK(store->check());

      ASSERT_EQ(::mount(nullptr, folder.path().c_str(), nullptr, MS_REMOUNT, "size=8m"), 0);
      EXPECT_OK(store->put_setting("after", "there is space"));
      acknowledged["after"] = "there is space";
      expect_settings(*store, acknowledged);
    }
    auto store = SqliteStore::open(path);
    ASSERT_TRUE(store.has_value()) << reason(store);
    expect_settings(**store, acknowledged);
  });
  if (status == ::keyhold::testing::kSkipped) GTEST_SKIP() << "mounting is not allowed here";
  EXPECT_EQ(status, 0);
}

TEST(SqliteStoreDurability, AStoreThatWasClosedOnAFullDiskOpensWhenThereIsSpace) {
  const TemporaryFolder folder;
  const int status = run_in_child([&] {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=1m") != 0) {
      ::keyhold::testing::skip_in_child();
    }
    const std::string path = folder.file("store.db");
    const auto acknowledged = write_until_refused(**SqliteStore::open(path));
    // What it says while there is none may differ with how much is left; it must not lose anything.
    {
      const auto opened = SqliteStore::open(path);
      if (opened) expect_settings(**opened, acknowledged);
    }
    ASSERT_EQ(::mount(nullptr, folder.path().c_str(), nullptr, MS_REMOUNT, "size=8m"), 0);
    const auto reopened = SqliteStore::open(path);
    ASSERT_TRUE(reopened.has_value()) << reason(reopened);
    expect_settings(**reopened, acknowledged);
  });
  if (status == ::keyhold::testing::kSkipped) GTEST_SKIP() << "mounting is not allowed here";
  EXPECT_EQ(status, 0);
}

TEST(SqliteStoreDurability, AStoreThatCannotBeMadeForWantOfSpaceLeavesNothingAndSaysWhy) {
  const TemporaryFolder folder;
  const int status = run_in_child([&] {
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", folder.path().c_str(), "tmpfs", 0, "size=16k") != 0) {
      ::keyhold::testing::skip_in_child();
    }
    const std::string path = folder.file("store.db");
    const auto refused = SqliteStore::open(path);
    ASSERT_TRUE(refused.has_error());
    EXPECT_EQ(refused.error().message(),
              "No space is left on the disk for the store '" + path + "'.");
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
    ASSERT_EQ(::mount(nullptr, folder.path().c_str(), nullptr, MS_REMOUNT, "size=8m"), 0);
    EXPECT_OK(SqliteStore::open(path));
  });
  if (status == ::keyhold::testing::kSkipped) GTEST_SKIP() << "mounting is not allowed here";
  EXPECT_EQ(status, 0);
}

// The same where nothing can be mounted: a file may not grow, and writes fail otherwise than with
// ENOSPC.
TEST(SqliteStoreDurability, AWriteThatTheSystemRefusesLosesNothing) {
  const TemporaryFolder folder;
  const int status = run_in_child([&] {
    const std::string path = folder.file("store.db");
    std::signal(SIGXFSZ, SIG_IGN);
    std::map<std::string, std::string> acknowledged;
    {
      auto store = *SqliteStore::open(path);
      rlimit before{};
      ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
      rlimit limit = before;
      limit.rlim_cur = 400000;
      ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
      acknowledged = write_until_refused(*store);
      EXPECT_GT(acknowledged.size(), 20U);
      expect_settings(*store, acknowledged);
      ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
      EXPECT_OK(store->put_setting("after", "it may grow again"));
      acknowledged["after"] = "it may grow again";
    }
    expect_settings(**SqliteStore::open(path), acknowledged);
  });
  EXPECT_EQ(status, 0);
}

// ---------------------------------------------------------------------------------------------
// Power loss: a write is acknowledged only after a sync that follows its last write
// ---------------------------------------------------------------------------------------------

// A VFS that stands before the real one and keeps, for each file, whether it was written to since
// it was last synced. Files are forwarded whole: our part, then the real one's.
struct WatchedFile {
  sqlite3_file base;
  std::string* name;
  sqlite3_file* real;
};

std::set<std::string> unsynced;  // NOLINT(cert-err58-cpp)
int syncs = 0;
sqlite3_vfs* real_vfs = nullptr;
sqlite3_io_methods watched_methods{};

sqlite3_file* real(sqlite3_file* file) { return reinterpret_cast<WatchedFile*>(file)->real; }

int watched_close(sqlite3_file* file) {
  auto* watched = reinterpret_cast<WatchedFile*>(file);
  const int code = watched->real->pMethods->xClose(watched->real);
  delete watched->name;
  sqlite3_free(watched->real);
  return code;
}

int watched_write(sqlite3_file* file, const void* data, int size, sqlite3_int64 offset) {
  unsynced.insert(*reinterpret_cast<WatchedFile*>(file)->name);
  return real(file)->pMethods->xWrite(real(file), data, size, offset);
}

int watched_sync(sqlite3_file* file, int flags) {
  unsynced.erase(*reinterpret_cast<WatchedFile*>(file)->name);
  ++syncs;
  return real(file)->pMethods->xSync(real(file), flags);
}

int watched_open(sqlite3_vfs*, const char* name, sqlite3_file* file, int flags, int* out_flags) {
  auto* watched = reinterpret_cast<WatchedFile*>(file);
  watched->base.pMethods = nullptr;
  watched->real = static_cast<sqlite3_file*>(sqlite3_malloc(real_vfs->szOsFile));
  std::memset(watched->real, 0, static_cast<std::size_t>(real_vfs->szOsFile));
  const int code = real_vfs->xOpen(real_vfs, name, watched->real, flags, out_flags);
  if (watched->real->pMethods == nullptr) {
    sqlite3_free(watched->real);
    return code;
  }
  watched->name = new std::string(name == nullptr ? "temporary" : name);
  watched_methods.iVersion = 1;  // no shared memory: the store has the file to itself
  watched_methods.xClose = watched_close;
  watched_methods.xRead = [](sqlite3_file* f, void* to, int size, sqlite3_int64 offset) {
    return real(f)->pMethods->xRead(real(f), to, size, offset);
  };
  watched_methods.xWrite = watched_write;
  watched_methods.xTruncate = [](sqlite3_file* f, sqlite3_int64 size) {
    return real(f)->pMethods->xTruncate(real(f), size);
  };
  watched_methods.xSync = watched_sync;
  watched_methods.xFileSize = [](sqlite3_file* f, sqlite3_int64* size) {
    return real(f)->pMethods->xFileSize(real(f), size);
  };
  watched_methods.xLock = [](sqlite3_file* f, int level) {
    return real(f)->pMethods->xLock(real(f), level);
  };
  watched_methods.xUnlock = [](sqlite3_file* f, int level) {
    return real(f)->pMethods->xUnlock(real(f), level);
  };
  watched_methods.xCheckReservedLock = [](sqlite3_file* f, int* answer) {
    return real(f)->pMethods->xCheckReservedLock(real(f), answer);
  };
  watched_methods.xFileControl = [](sqlite3_file* f, int operation, void* argument) {
    return real(f)->pMethods->xFileControl(real(f), operation, argument);
  };
  watched_methods.xSectorSize = [](sqlite3_file* f) {
    return real(f)->pMethods->xSectorSize(real(f));
  };
  watched_methods.xDeviceCharacteristics = [](sqlite3_file* f) {
    return real(f)->pMethods->xDeviceCharacteristics(real(f));
  };
  watched->base.pMethods = &watched_methods;
  return code;
}

TEST(SqliteStoreDurability, EveryAcknowledgedWriteHasBeenSynced) {
  const TemporaryFolder folder;
  real_vfs = sqlite3_vfs_find(nullptr);
  sqlite3_vfs watching = *real_vfs;
  watching.zName = "watching";
  watching.pNext = nullptr;
  watching.szOsFile = sizeof(WatchedFile);
  watching.xOpen = watched_open;
  ASSERT_EQ(sqlite3_vfs_register(&watching, 1), SQLITE_OK);
  {
    auto opened = SqliteStore::open(folder.file("store.db"));
    ASSERT_TRUE(opened.has_value()) << reason(opened);
    SqliteStore& store = **opened;
    const auto expect_synced = [&](const Result<void>& result, const char* what) {
      ASSERT_TRUE(result.has_value()) << what << ": " << reason(result);
      EXPECT_GT(syncs, 0) << what;
      EXPECT_TRUE(unsynced.empty()) << what << " left " << *unsynced.begin();
      syncs = 0;
    };
    // Enough rounds that the log is written into the file and begun anew between them.
    for (int round = 0; round < 120; ++round) {
      KeyRecord key = a_key();
      key.description = std::string(8000, 'd');
      const IntentRecord creation = an_intent(key);
      const IntentRecord rotation = an_intent(key, IntentKind::kRotateOnDemand);
      const AliasRecord alias = an_alias(key, "alias/" + key.id);
      const CredentialRecord credential = a_credential("AKIA" + key.id);
      expect_synced(store.begin_key(key, creation), "begin_key");
      expect_synced(store.finish_key(material_of(creation)), "finish_key");
      expect_synced(store.begin_material(rotation, key.version), "begin_material");
      expect_synced(store.finish_rotation(key, material_of(rotation, 1)), "finish_rotation");
      key.version += 1;
      expect_synced(store.mark_announced(rotation.object_name), "mark_announced");
      expect_synced(store.update_key(key), "update_key");
      expect_synced(store.insert_alias(alias), "insert_alias");
      expect_synced(store.delete_alias(alias.account, alias.region, alias.name), "delete_alias");
      expect_synced(store.insert_credential(credential), "insert_credential");
      expect_synced(store.put_setting("round", std::to_string(round)), "put_setting");
      const auto reserved = store.reserve_invocations(creation.object_name, 10);
      expect_synced(reserved ? Result<void>() : Result<void>(reserved.error()), "reserve");
      expect_synced(store.erase_key(key.id), "erase_key");
    }
  }
  ASSERT_EQ(sqlite3_vfs_register(real_vfs, 1), SQLITE_OK);
  ASSERT_EQ(sqlite3_vfs_unregister(&watching), SQLITE_OK);
}

}  // namespace
}  // namespace keyhold::store

#include "audit/writer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

namespace keyhold::audit {
namespace {

using std::chrono::milliseconds;
namespace fs = std::filesystem;

/// A folder on tmpfs that goes with the test.
class Folder {
 public:
  Folder() {
    char name[] = "/dev/shm/keyhold-audit-XXXXXX";
    if (::mkdtemp(name) == nullptr) throw std::runtime_error("mkdtemp");
    path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

std::string contents(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

std::vector<std::string> lines(const fs::path& path) {
  std::istringstream in(contents(path));
  std::vector<std::string> all;
  for (std::string line; std::getline(in, line);) all.push_back(line);
  return all;
}

void put(const fs::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

mode_t mode(const fs::path& path) {
  struct stat status {};
  EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
  return status.st_mode & 07777;
}

Writer::Options in(const fs::path& folder) {
  Writer::Options options;
  options.directory = folder;
  options.later_within = milliseconds(5);
  options.retry_after = milliseconds(5);
  options.refuse_after = std::chrono::hours(1);
  return options;
}

/// The writer; a test cannot go on without.
std::unique_ptr<Writer> opened(Writer::Options options) {
  auto writer = Writer::open(std::move(options));
  if (!writer) throw std::runtime_error(writer.error().message());
  return std::move(*writer);
}

template <typename Condition>
bool becomes_true(Condition condition) {
  for (int i = 0; i < 2000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(milliseconds(5));
  }
  return false;
}

class AuditWriter : public testing::Test {
 protected:
  Folder folder_;
  fs::path file_ = folder_.path() / "audit.jsonl";
};

TEST_F(AuditWriter, ADurableLineIsInTheFileWhenAppendReturns) {
  const auto writer = opened(in(folder_.path()));
  EXPECT_EQ(writer->path(), file_);
  ASSERT_TRUE(writer->append("{\"a\":1}", Durability::kBeforeReturn));
  EXPECT_EQ(contents(file_), "{\"a\":1}\n");
  ASSERT_TRUE(writer->append("{}", Durability::kBeforeReturn));
  EXPECT_EQ(contents(file_), "{\"a\":1}\n{}\n");
}

TEST_F(AuditWriter, ALaterLineComesByItselfSoon) {
  const auto writer = opened(in(folder_.path()));
  ASSERT_TRUE(writer->append("{}", Durability::kLater));
  EXPECT_TRUE(becomes_true([&] { return contents(file_) == "{}\n"; }));
}

TEST_F(AuditWriter, ADurableLineTakesEarlierLaterOnesAlong) {
  auto options = in(folder_.path());
  options.later_within = std::chrono::hours(1);
  const auto writer = opened(options);
  ASSERT_TRUE(writer->append("1", Durability::kLater));
  ASSERT_TRUE(writer->append("2", Durability::kLater));
  ASSERT_TRUE(writer->append("3", Durability::kBeforeReturn));
  EXPECT_EQ(contents(file_), "1\n2\n3\n");
}

TEST_F(AuditWriter, CloseWritesWhatIsQueued) {
  auto options = in(folder_.path());
  options.later_within = std::chrono::hours(1);
  const auto writer = opened(options);
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(writer->append(std::to_string(i), Durability::kLater));
  ASSERT_TRUE(writer->close());
  EXPECT_EQ(lines(file_).size(), 100u);
  EXPECT_TRUE(writer->close()) << "closing again";
}

TEST_F(AuditWriter, TheDestructorWritesWhatIsQueued) {
  auto options = in(folder_.path());
  options.later_within = std::chrono::hours(1);
  ASSERT_TRUE(opened(options)->append("1", Durability::kLater));
  EXPECT_EQ(contents(file_), "1\n");
}

TEST_F(AuditWriter, AClosedWriterRefuses) {
  const auto writer = opened(in(folder_.path()));
  ASSERT_TRUE(writer->close());
  for (const Durability durability : {Durability::kLater, Durability::kBeforeReturn}) {
    const auto result = writer->append("{}", durability);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), ErrorCode::kKmsInternal);
  }
  EXPECT_EQ(contents(file_), "");
}

TEST_F(AuditWriter, ALineWithALineEndIsABug) {
  const auto writer = opened(in(folder_.path()));
  EXPECT_THROW(static_cast<void>(writer->append("a\nb", Durability::kLater)),
               std::invalid_argument);
}

TEST_F(AuditWriter, ManyThreadsShareGroupsAndEachFindsItsLineOnReturn) {
  constexpr int kThreads = 8;
  constexpr int kLines = 200;
  const auto writer = opened(in(folder_.path()));
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kLines; ++i) {
        const auto durability = i % 3 == 0 ? Durability::kBeforeReturn : Durability::kLater;
        const std::string line = std::to_string(t) + ":" + std::to_string(i);
        ASSERT_TRUE(writer->append(line, durability));
        if (i % 60 == 0) {
          const auto written = lines(file_);
          ASSERT_NE(std::find(written.begin(), written.end(), line), written.end()) << line;
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(writer->close());
  std::map<std::string, int> next;  // of each thread
  for (const std::string& line : lines(file_)) {
    const std::size_t colon = line.find(':');
    const std::string thread = line.substr(0, colon);
    EXPECT_EQ(std::stoi(line.substr(colon + 1)), next[thread]) << "a thread's lines keep order";
    ++next[thread];
  }
  EXPECT_EQ(next.size(), static_cast<std::size_t>(kThreads));
  for (const auto& [thread, count] : next) EXPECT_EQ(count, kLines) << thread;
}

TEST_F(AuditWriter, LongLinesAndBigGroupsArriveWhole) {
  const auto writer = opened(in(folder_.path()));
  std::string expected;
  for (int i = 0; i < 40; ++i) {
    const std::string line(static_cast<std::size_t>(1 + i * 5000), static_cast<char>('a' + i % 26));
    ASSERT_TRUE(writer->append(line, Durability::kLater));
    expected += line + "\n";
  }
  ASSERT_TRUE(writer->close());
  EXPECT_EQ(contents(file_), expected);
}

TEST_F(AuditWriter, TheQueueIsBounded) {
  auto options = in(folder_.path());
  options.later_within = std::chrono::hours(1);
  options.max_queued_bytes = 100;
  const auto writer = opened(options);
  const auto result = writer->append(std::string(100, 'x'), Durability::kBeforeReturn);
  ASSERT_FALSE(result) << "100 bytes and a line end";
  EXPECT_EQ(result.error().code(), ErrorCode::kKmsInternal);
  ASSERT_TRUE(writer->append(std::string(49, 'y'), Durability::kLater));
  EXPECT_EQ(contents(file_), "");
  ASSERT_TRUE(writer->append(std::string(49, 'z'), Durability::kLater));
  EXPECT_TRUE(becomes_true([&] { return lines(file_).size() == 2; }))
      << "half full does not wait for company";
  EXPECT_TRUE(becomes_true([&] {
    return writer->append(std::string(99, 'x'), Durability::kBeforeReturn).has_value();
  })) << "written lines give their room back";
}

// Opening.

TEST_F(AuditWriter, FoldersAndFileAreForTheOwnerAlone) {
  const mode_t old = ::umask(0);
  const fs::path deep = folder_.path() / "a" / "b";
  const auto writer = opened(in(deep));
  ::umask(old);
  EXPECT_EQ(mode(folder_.path() / "a"), 0700u);
  EXPECT_EQ(mode(deep), 0700u);
  EXPECT_EQ(mode(deep / "audit.jsonl"), 0600u);
}

TEST_F(AuditWriter, AFileThatOthersCouldReadIsClosedToThem) {
  put(file_, "{}\n");
  ::chmod(file_.c_str(), 0644);
  const auto writer = opened(in(folder_.path()));
  EXPECT_EQ(mode(file_), 0600u);
  EXPECT_EQ(contents(file_), "{}\n");
}

TEST_F(AuditWriter, ATornLineIsCutOffAndWholeOnesStay) {
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"{\"a\":1}\n{\"b\":", "{\"a\":1}\n"},
      {"{\"a\":1}\n", "{\"a\":1}\n"},
      {"{\"torn", ""},
      {"", ""},
      {"{}\n" + std::string(10000, 'x'), "{}\n"},
      {std::string(4096, 'x'), ""},
      {std::string(4095, 'x') + "\n", std::string(4095, 'x') + "\n"},
      {"\n" + std::string(4096, 'x'), "\n"},
      {"{}\n" + std::string(5000, '\0'), "{}\n"},
  };
  for (const auto& [before, after] : cases) {
    put(file_, before);
    const auto writer = opened(in(folder_.path()));
    EXPECT_EQ(contents(file_), after);
    ASSERT_TRUE(writer->append("next", Durability::kBeforeReturn));
    EXPECT_EQ(contents(file_), after + "next\n");
  }
}

TEST_F(AuditWriter, WhatAKilledProcessWasToldIsDurableIsThereAndWhole) {
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto writer = opened(in(folder_.path()));
    for (int i = 0; i < 50; ++i) {
      if (!writer->append("line " + std::to_string(i), Durability::kBeforeReturn)) ::_exit(2);
    }
    static_cast<void>(writer->append(std::string(1 << 20, 'x'), Durability::kLater));
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status)) << status;
  const auto writer = opened(in(folder_.path()));
  const auto found = lines(file_);
  ASSERT_GE(found.size(), 50u);
  for (std::size_t i = 0; i < 50; ++i) EXPECT_EQ(found[i], "line " + std::to_string(i));
  for (std::size_t i = 50; i < found.size(); ++i) EXPECT_EQ(found[i], std::string(1 << 20, 'x'));
}

TEST_F(AuditWriter, TwoWritersCannotHaveOneFile) {
  const auto writer = opened(in(folder_.path()));
  const auto second = Writer::open(in(folder_.path()));
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message().find("another process writes to it"), std::string::npos);
  auto elsewhere = in(folder_.path());
  elsewhere.file_name = "other.jsonl";
  EXPECT_TRUE(Writer::open(elsewhere));
}

TEST_F(AuditWriter, WhatIsNoFileOrFolderIsRefusedWithASentence) {
  put(folder_.path() / "file", "");
  EXPECT_FALSE(Writer::open(in(folder_.path() / "file")));
  EXPECT_FALSE(Writer::open(in(folder_.path() / "file" / "below")));
  fs::create_directory(file_);
  const auto folder = Writer::open(in(folder_.path()));
  ASSERT_FALSE(folder);
  EXPECT_EQ(folder.error().code(), ErrorCode::kKmsInternal);
  EXPECT_NE(folder.error().message().find(file_.string()), std::string::npos);
  fs::remove(file_);
  ASSERT_EQ(::mkfifo(file_.c_str(), 0600), 0);
  const auto fifo = Writer::open(in(folder_.path()));
  ASSERT_FALSE(fifo);
  EXPECT_NE(fifo.error().message().find("not a regular file"), std::string::npos);
  fs::remove(file_);
  fs::create_symlink(folder_.path() / "file", file_);
  EXPECT_FALSE(Writer::open(in(folder_.path()))) << "a link could lead anywhere";
}

// A full disk.

/// Bounds what a file of this process may hold, as a full disk does.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    old_handler_ = std::signal(SIGXFSZ, SIG_IGN);
    ::getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit limit{bytes, old_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() { lift(); }
  FileSizeLimit(const FileSizeLimit&) = delete;
  FileSizeLimit& operator=(const FileSizeLimit&) = delete;
  void lift() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, old_handler_);
  }

 private:
  rlimit old_{};
  void (*old_handler_)(int) = nullptr;
};

TEST_F(AuditWriter, AFullDiskFailsTheWaitingCallersAndLeavesNoPiecesOfTheirLines) {
  const auto writer = opened(in(folder_.path()));
  ASSERT_TRUE(writer->append("first", Durability::kBeforeReturn));
  FileSizeLimit limit(1000);
  for (int i = 0; i < 3; ++i) {
    const auto result = writer->append(std::string(2000, 'x'), Durability::kBeforeReturn);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), ErrorCode::kKmsInternal);
    EXPECT_EQ(contents(file_), "first\n");
  }
  EXPECT_TRUE(writer->append("small", Durability::kBeforeReturn)) << "there is room for it";
  limit.lift();
  ASSERT_TRUE(writer->append("last", Durability::kBeforeReturn));
  EXPECT_EQ(contents(file_), "first\nsmall\nlast\n");
}

TEST_F(AuditWriter, LaterLinesWaitForTheDiskToTakeThemInOrder) {
  const auto writer = opened(in(folder_.path()));
  FileSizeLimit limit(1000);
  const std::string big(2000, 'x');
  ASSERT_TRUE(writer->append(big, Durability::kLater));
  const auto failed = writer->append("told of failure", Durability::kBeforeReturn);
  EXPECT_FALSE(failed);
  ASSERT_TRUE(writer->append("after", Durability::kLater));
  EXPECT_EQ(contents(file_), "");
  limit.lift();
  EXPECT_TRUE(becomes_true([&] { return lines(file_).size() == 2; })) << "retried by itself";
  EXPECT_EQ(contents(file_), big + "\nafter\n");
}

TEST_F(AuditWriter, LinesThatComeWhileAWriteFailsAreKeptToo) {
  const auto writer = opened(in(folder_.path()));
  FileSizeLimit limit(1000);
  ASSERT_TRUE(writer->append(std::string(2000, 'x'), Durability::kLater));
  constexpr int kThreads = 4;
  constexpr int kLines = 500;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kLines; ++i) {
        ASSERT_TRUE(
            writer->append(std::to_string(t) + ":" + std::to_string(i), Durability::kLater));
        if (i % 5 != 0) continue;
        ASSERT_FALSE(writer->append("fails", Durability::kBeforeReturn));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(contents(file_), "");
  limit.lift();
  ASSERT_TRUE(writer->close());
  const auto written = lines(file_);
  ASSERT_EQ(written.size(), std::size_t{1 + kThreads * kLines});
  std::map<std::string, int> next;
  for (std::size_t i = 1; i < written.size(); ++i) {
    const std::size_t colon = written[i].find(':');
    ASSERT_NE(colon, std::string::npos) << written[i];
    const std::string thread = written[i].substr(0, colon);
    EXPECT_EQ(std::stoi(written[i].substr(colon + 1)), next[thread]++);
  }
}

TEST_F(AuditWriter, AFullQueueBehindAFullDiskRefusesAndRecovers) {
  auto options = in(folder_.path());
  options.max_queued_bytes = 5000;
  const auto writer = opened(options);
  FileSizeLimit limit(1000);
  int taken = 0;
  while (taken < 100 && writer->append(std::string(1500, 'x'), Durability::kLater)) ++taken;
  EXPECT_EQ(taken, 3);
  limit.lift();
  EXPECT_TRUE(
      becomes_true([&] { return writer->append("after", Durability::kBeforeReturn).has_value(); }));
  EXPECT_EQ(lines(file_).size(), 4u);
}

TEST_F(AuditWriter, NoMoreIsQueuedForADiskThatHasTakenNothingForAWhile) {
  auto options = in(folder_.path());
  options.refuse_after = milliseconds(50);
  const auto writer = opened(options);
  FileSizeLimit limit(1000);
  EXPECT_FALSE(writer->refuses());
  ASSERT_TRUE(writer->append(std::string(2000, 'x'), Durability::kLater));
  ASSERT_FALSE(writer->append("fails", Durability::kBeforeReturn));
  EXPECT_TRUE(becomes_true([&] { return writer->refuses(); }));
  const std::size_t queued = writer->queued_bytes();
  EXPECT_EQ(queued, 2001u);
  const auto refused = writer->append("more", Durability::kLater);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kKmsInternal);
  EXPECT_EQ(writer->queued_bytes(), queued);
  limit.lift();
  EXPECT_TRUE(becomes_true([&] { return !writer->refuses(); })) << "retried by itself";
  EXPECT_TRUE(writer->append("after", Durability::kLater));
  ASSERT_TRUE(writer->close());
  EXPECT_EQ(contents(file_), std::string(2000, 'x') + "\nafter\n");
  EXPECT_EQ(writer->queued_bytes(), 0u);
}

TEST_F(AuditWriter, OnlyLinesThatSomebodyWaitedForFailingDoesNotRefuseOthersForGood) {
  auto options = in(folder_.path());
  options.refuse_after = milliseconds(0);
  options.retry_after = milliseconds(50);
  const auto writer = opened(options);
  FileSizeLimit limit(1000);
  ASSERT_FALSE(writer->append(std::string(2000, 'x'), Durability::kBeforeReturn));
  EXPECT_FALSE(writer->append("use", Durability::kLater));
  limit.lift();
  EXPECT_TRUE(becomes_true([&] { return writer->append("use", Durability::kLater).has_value(); }));
}

TEST_F(AuditWriter, RoomForSomeOfWhatWaitsIsUsed) {
  auto options = in(folder_.path());
  options.later_within = std::chrono::hours(1);
  options.preallocated_bytes = 0;
  const auto writer = opened(options);
  constexpr int kLines = 300;
  const std::string line(1000, 'x');
  std::vector<std::string> wanted;
  for (int i = 0; i < kLines; ++i) {
    wanted.push_back(std::to_string(i) + line);
    ASSERT_TRUE(writer->append(wanted.back(), Durability::kLater));
  }
  {
    FileSizeLimit limit(1000);
    ASSERT_FALSE(writer->append("fails", Durability::kBeforeReturn));
    EXPECT_EQ(contents(file_), "");
  }
  {
    FileSizeLimit limit(200'000);
    EXPECT_TRUE(becomes_true([&] { return writer->queued_bytes() < 150'000; }));
    const auto written = lines(file_);
    EXPECT_GT(written.size(), 100u);
    EXPECT_LT(written.size(), 200u);
  }
  ASSERT_TRUE(writer->close());
  EXPECT_EQ(lines(file_), wanted);
}

TEST_F(AuditWriter, CloseTellsOfLinesThatWereLost) {
  auto options = in(folder_.path());
  options.retry_after = std::chrono::hours(1);
  const auto writer = opened(options);
  FileSizeLimit limit(1000);
  ASSERT_TRUE(writer->append(std::string(2000, 'x'), Durability::kLater));
  const auto closed = writer->close();
  ASSERT_FALSE(closed);
  EXPECT_EQ(closed.error().code(), ErrorCode::kKmsInternal);
  EXPECT_FALSE(writer->close()) << "the same again";
  EXPECT_EQ(contents(file_), "");
}

TEST_F(AuditWriter, CloseTriesOnceMore) {
  auto options = in(folder_.path());
  options.retry_after = std::chrono::hours(1);
  const auto writer = opened(options);
  {
    FileSizeLimit limit(1000);
    ASSERT_TRUE(writer->append(std::string(2000, 'x'), Durability::kLater));
    EXPECT_FALSE(writer->append("fails", Durability::kBeforeReturn));
  }
  EXPECT_TRUE(writer->close());
  EXPECT_EQ(contents(file_), std::string(2000, 'x') + "\n");
}

/// A folder with room for little: a file system of its own where this process may mount one, else
/// the folder that was, with a bound on files.
class SmallDisk {
 public:
  explicit SmallDisk(const fs::path& path) : path_(path) {
    mounted_ = ::mount("tmpfs", path_.c_str(), "tmpfs", 0, "size=64k") == 0;
    if (mounted_) return;
    limit_ = std::make_unique<FileSizeLimit>(64 << 10);
  }
  ~SmallDisk() {
    limit_.reset();
    if (mounted_) ::umount2(path_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  void grow() {
    limit_.reset();
    if (!mounted_) return;
    EXPECT_EQ(::mount("tmpfs", path_.c_str(), "tmpfs", MS_REMOUNT, "size=16m"), 0);
  }

 private:
  fs::path path_;
  bool mounted_ = false;
  std::unique_ptr<FileSizeLimit> limit_;
};

TEST_F(AuditWriter, EveryAcknowledgedLineSurvivesADiskThatFillsUpAndGrows) {
  SmallDisk disk(folder_.path());
  const auto writer = opened(in(folder_.path()));
  std::vector<std::string> acknowledged;
  int refused = 0;
  for (int i = 0; i < 100; ++i) {
    const std::string line = std::to_string(i) + std::string(1500, 'x');
    if (writer->append(line, Durability::kBeforeReturn)) {
      acknowledged.push_back(line);
    } else {
      ++refused;
    }
  }
  EXPECT_GT(refused, 0);
  EXPECT_EQ(lines(file_), acknowledged);
  disk.grow();
  ASSERT_TRUE(writer->append("room again", Durability::kBeforeReturn));
  acknowledged.push_back("room again");
  EXPECT_EQ(lines(file_), acknowledged);
  ASSERT_TRUE(writer->close());
}

}  // namespace
}  // namespace keyhold::audit

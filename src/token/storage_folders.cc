#include "token/storage_folders.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <functional>
#include <iterator>
#include <optional>
#include <set>
#include <thread>

#include "base/log.h"

namespace keyhold::token {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kTokenObject = "token.object";
constexpr std::string_view kCopySuffix = ".token-object";

// Another process that logs in empties token.object for a moment; only one that stays empty is one
// that a kill left.
constexpr auto kLoginOfAnother = std::chrono::seconds(1);
constexpr auto kLookAgain = std::chrono::milliseconds(20);

Error io_error(std::string_view what, const fs::path& path, int number) {
  return Error(ErrorCode::kKmsInternal, "The key store could not be written.",
               std::string(what) + " " + path.string() + ": " + std::strerror(number));
}

class File {
 public:
  File(const fs::path& path, int flags) : fd_(::open(path.c_str(), flags | O_CLOEXEC, 0600)) {}
  ~File() {
    if (fd_ >= 0) ::close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

// Closing a file drops this process's POSIX locks on it, SoftHSM's among them. The writer is done
// with a new object's file when the generation has answered, and readers look again at its
// generation number, so the lock that could be lost guards nothing then.
Result<void> sync_path(const fs::path& path) {
  const File file(path, O_RDONLY);
  if (file.fd() < 0) {
    if (errno == ENOENT) return {};  // destroyed meanwhile
    return io_error("open", path, errno);
  }
  if (::fsync(file.fd()) != 0) return io_error("fsync", path, errno);
  return {};
}

bool later(const std::timespec& a, const std::timespec& b) {
  return a.tv_sec != b.tv_sec ? a.tv_sec > b.tv_sec : a.tv_nsec > b.tv_nsec;
}

Result<void> sync_tree(const fs::path& folder, const std::timespec& mark) {
  std::error_code error;
  fs::directory_iterator entries(folder, error);
  if (error) return io_error("list", folder, error.value());
  for (; entries != fs::directory_iterator(); entries.increment(error)) {
    if (error) return io_error("list", folder, error.value());
    struct stat info;
    if (::lstat(entries->path().c_str(), &info) != 0) continue;  // destroyed meanwhile
    if (S_ISDIR(info.st_mode)) {
      TRY(sync_tree(entries->path(), mark));
    } else if (S_ISREG(info.st_mode) && later(info.st_mtim, mark)) {
      TRY(sync_path(entries->path()));
    }
  }
  return sync_path(folder);
}

std::optional<std::string> read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::string content((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (file.bad()) return std::nullopt;
  return content;
}

bool is_empty_or_gone(const fs::path& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  return error || size == 0;
}

fs::path copy_of(const fs::path& token_folder) {
  return fs::path(token_folder.string() + std::string(kCopySuffix));
}

/// Calls `visit` for each folder below `folders` that is a token's or was one.
Result<void> for_each_token(const std::vector<std::string>& folders,
                            const std::function<Result<void>(const fs::path&)>& visit) {
  for (const std::string& folder : folders) {
    std::error_code error;
    std::set<fs::path> tokens;
    for (fs::directory_iterator entries(folder, error);
         !error && entries != fs::directory_iterator(); entries.increment(error)) {
      std::error_code ignored;
      if (entries->is_directory(ignored)) tokens.insert(entries->path());
    }
    if (error) return io_error("list", folder, error.value());
    for (const fs::path& token : tokens) TRY(visit(token));
  }
  return {};
}

}  // namespace

Result<void> write_durably(const fs::path& path, std::string_view content) {
  const fs::path draft(path.string() + ".draft");
  {
    const File file(draft, O_WRONLY | O_CREAT | O_TRUNC);
    if (file.fd() < 0) return io_error("create", draft, errno);
    std::size_t done = 0;
    while (done < content.size()) {
      const ssize_t written = ::write(file.fd(), content.data() + done, content.size() - done);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) return io_error("write", draft, errno);
      done += static_cast<std::size_t>(written);
    }
    if (::fsync(file.fd()) != 0) return io_error("fsync", draft, errno);
  }
  if (::rename(draft.c_str(), path.c_str()) != 0) return io_error("rename", draft, errno);
  return sync_path(path.parent_path());
}

std::timespec StorageFolders::mark() {
  std::timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  // File systems stamp with a clock that lags by a tick, some of them in whole seconds.
  now.tv_sec -= 2;
  return now;
}

Result<void> StorageFolders::sync_changes_since(std::timespec mark) const {
  for (const std::string& folder : folders_) TRY(sync_tree(folder, mark));
  return {};
}

Result<void> StorageFolders::restore_token_objects() const {
  if (copy_ == TokenObjectCopy::kNone) return {};
  return for_each_token(folders_, [](const fs::path& token) -> Result<void> {
    const fs::path object = token / kTokenObject;
    std::error_code ignored;
    // Some other folder, or what a kill at the start of C_InitToken leaves: SoftHSM passes over it.
    if (!fs::exists(object, ignored) && !fs::exists(copy_of(token), ignored)) return {};
    const auto deadline = std::chrono::steady_clock::now() + kLoginOfAnother;
    while (is_empty_or_gone(object)) {
      if (std::chrono::steady_clock::now() < deadline) {
        std::this_thread::sleep_for(kLookAgain);
        continue;
      }
      const auto copy = read_file(copy_of(token));
      if (!copy || copy->empty()) {
        return Error(ErrorCode::kKeyUnavailable, "The key store is damaged.",
                     object.string() + " is empty and there is no copy of it");
      }
      TRY(write_durably(object, *copy));
      log::error("token: " + object.string() +
                 " was empty, as a kill during a login leaves it; its copy was put back");
      return {};
    }
    return {};
  });
}

Result<void> StorageFolders::keep_token_objects() const {
  if (copy_ == TokenObjectCopy::kNone) return {};
  return for_each_token(folders_, [](const fs::path& token) -> Result<void> {
    const fs::path object = token / kTokenObject;
    // Two equal readings, so that a login of another process is not copied half done.
    auto content = read_file(object);
    for (int i = 0; i < 50; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
      auto again = read_file(object);
      if (content && !content->empty() && again == content) {
        if (read_file(copy_of(token)) == content) return {};
        return write_durably(copy_of(token), *content);
      }
      content = std::move(again);
    }
    if (!content) return {};  // not a token
    return Error(ErrorCode::kKeyUnavailable, "The key store is damaged.",
                 object.string() + " is empty or does not come to rest");
  });
}

}  // namespace keyhold::token

#include "app/data_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace keyhold::app {
namespace {

constexpr std::string_view kVersionFile = "version";
constexpr std::string_view kLockFile = "lock";
constexpr std::string_view kVersion = "keyhold data folder 1\n";

Error unusable(const std::filesystem::path& path, std::string_view why) {
  return Error(ErrorCode::kValidation, "the folder " + path.string() + " " + std::string(why));
}

Error failed(const std::filesystem::path& path, std::string_view what) {
  return Error(ErrorCode::kValidation, "cannot " + std::string(what) + " " + path.string() + ": " +
                                           std::generic_category().message(errno));
}

Result<void> check_version(const std::filesystem::path& path) {
  const auto file = path / kVersionFile;
  std::error_code error;
  if (!std::filesystem::exists(file, error)) {
    // Only the lock may be here already: anything else was put here by somebody else.
    for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
      if (entry.path().filename() != kLockFile) {
        return unusable(path, "holds files that are not Keyhold's");
      }
    }
    return write_private_file(file, kVersion);
  }
  TRY_ASSIGN(const std::string found, read_file(file));
  if (found != kVersion) return unusable(path, "belongs to another version of Keyhold");
  return {};
}

}  // namespace

Result<std::unique_ptr<DataFolder>> DataFolder::open(const std::filesystem::path& path) {
  std::error_code error;
  const bool made = std::filesystem::create_directories(path, error);
  if (error) return unusable(path, "cannot be made: " + error.message());
  if (made) std::filesystem::permissions(path, std::filesystem::perms::owner_all, error);

  const auto absolute = std::filesystem::absolute(path, error);
  const auto lock_path = absolute / kLockFile;
  const int lock = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (lock < 0) return failed(lock_path, "open");
  if (::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    ::close(lock);
    return unusable(absolute, "is in use by another process");
  }
  std::unique_ptr<DataFolder> folder(new DataFolder(absolute, lock, Life::kKept));
  TRY(check_version(absolute));
  return folder;
}

Result<std::unique_ptr<DataFolder>> DataFolder::open_temporary() {
  std::error_code error;
  std::string path = (std::filesystem::temp_directory_path(error) / "keyhold-XXXXXX").string();
  if (::mkdtemp(path.data()) == nullptr) return failed(path, "make");
  TRY_ASSIGN(auto folder, open(path));
  folder->life_ = Life::kTemporary;
  return folder;
}

DataFolder::~DataFolder() {
  if (life_ == Life::kTemporary) {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  ::close(lock_);
}

Result<Presence> look_for(const std::filesystem::path& path) {
  std::error_code error;
  if (std::filesystem::exists(path, error)) return Presence::kThere;
  if (!error) return Presence::kAbsent;
  return Error(ErrorCode::kValidation, "cannot read " + path.string() + ": " + error.message());
}

Result<std::string> read_file(const std::filesystem::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return failed(path, "read");
  struct stat state {};
  // Room for the whole at once, so that what may be a secret is not left behind by a string that
  // grows.
  std::string content(::fstat(file, &state) == 0 ? static_cast<std::size_t>(state.st_size) + 1 : 1,
                      '\0');
  std::size_t size = 0;
  while (true) {
    if (size == content.size()) content.resize(2 * size);
    const auto got = ::read(file, content.data() + size, content.size() - size);
    if (got < 0) {
      auto error = failed(path, "read");
      ::close(file);
      return error;
    }
    if (got == 0) break;
    size += static_cast<std::size_t>(got);
  }
  ::close(file);
  content.resize(size);
  return content;
}

Result<void> write_private_file(const std::filesystem::path& path, std::string_view content) {
  const auto draft = path.string() + ".new";
  const int file =
      ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return failed(draft, "write");
  bool written = true;
  for (std::size_t at = 0; written && at < content.size();) {
    const auto some = ::write(file, content.data() + at, content.size() - at);
    written = some > 0;
    if (written) at += static_cast<std::size_t>(some);
  }
  written = written && ::fsync(file) == 0;
  ::close(file);
  if (!written || std::rename(draft.c_str(), path.c_str()) != 0) {
    auto error = failed(path, "write");
    ::unlink(draft.c_str());
    return error;
  }
  const int folder = ::open(path.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    ::fsync(folder);
    ::close(folder);
  }
  return {};
}

}  // namespace keyhold::app

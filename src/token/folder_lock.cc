#include "token/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <system_error>

#include "token/token_error.h"

namespace keyhold::token {
namespace {

constexpr std::string_view kLockFile = "token-lock";

Error failed(const std::filesystem::path& path, int number) {
  return unavailable("locking " + path.string() + ": " + std::generic_category().message(number));
}

bool are_same_file(int a, int b) {
  struct stat first {};
  struct stat second {};
  return ::fstat(a, &first) == 0 && ::fstat(b, &second) == 0 && first.st_dev == second.st_dev &&
         first.st_ino == second.st_ino;
}

/// A file that root makes is its folder's owner's, so that the service can open it afterwards.
void give_to_owner_of(const std::filesystem::path& folder, int file) {
  struct stat state {};
  if (::geteuid() != 0 || ::stat(folder.c_str(), &state) != 0 || state.st_uid == 0) return;
  static_cast<void>(::fchown(file, state.st_uid, state.st_gid) == 0);
}

}  // namespace

FolderLock::~FolderLock() {
  if (file_ >= 0) ::close(file_);
}

Result<void> FolderLock::take(const std::filesystem::path& folder) {
  const auto path = folder / kLockFile;
  const int file = ::open(path.c_str(), O_RDONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (file < 0) return failed(path, errno);
  // The folder may have gone and come back as another one.
  if (file_ >= 0 && are_same_file(file, file_)) {
    ::close(file);
    return {};
  }
  give_to_owner_of(folder, file);
  if (::flock(file, LOCK_EX | LOCK_NB) != 0) {
    const int number = errno;
    ::close(file);
    if (number != EWOULDBLOCK) return failed(path, number);
    return Error(ErrorCode::kValidation,
                 "the token's folder " + folder.string() + " is in use by another process");
  }
  if (file_ >= 0) ::close(file_);
  file_ = file;
  return {};
}

}  // namespace keyhold::token

// One process at a time in the folder of a SoftHSM token that Keyhold made.
#pragma once

#include <filesystem>

#include "base/result.h"

namespace keyhold::token {

/// Two processes that are logged in to one SoftHSM token spoil it for each other: a login empties
/// its token.object for a moment, and a search of one may fail beside a generation of the other.
/// The lock is a file of its own beside SoftHSM's, which has its locks elsewhere.
class FolderLock {
 public:
  FolderLock() = default;
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

  /// Keeps the folder from other processes until this object goes, or another folder is taken. One
  /// that is held already and is still the same is success.
  ///
  /// kValidation with a sentence if another process has it; kKeyUnavailable if the lock's file
  /// cannot be opened.
  Result<void> take(const std::filesystem::path& folder);

 private:
  int file_ = -1;
};

}  // namespace keyhold::token

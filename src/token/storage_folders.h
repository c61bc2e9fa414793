// The folders in which a software token keeps its objects: made durable where the token does not
// do it itself, and SoftHSM's token.object guarded.
#pragma once

#include <ctime>
#include <filesystem>
#include <string>
#include <vector>

#include "base/result.h"
#include "token/profile.h"

namespace keyhold::token {

/// Writes `content` to `path` so that after a crash or power cut either the old file or the whole
/// new one is there.
Result<void> write_durably(const std::filesystem::path& path, std::string_view content);

class StorageFolders {
 public:
  StorageFolders(std::vector<std::string> folders, TokenObjectCopy copy)
      : folders_(std::move(folders)), copy_(copy) {}

  /// An instant of the file system's, to hand to sync_changes_since.
  static std::timespec mark();

  /// Syncs every directory in the folders and every file in them that changed since `mark`, so that
  /// what the token answered is on disk. Success if there are no folders.
  Result<void> sync_changes_since(std::timespec mark) const;

  // SoftHSM's C_Login truncates token.object and writes it again; a kill in between empties it, and
  // with it every private object is lost. So a copy is kept beside the token's folder
  // (`<folder>.token-object`), good until the PIN changes.

  /// Before C_Initialize: puts the copy back over each token.object that is empty or gone, and says
  /// so in the log. An empty one without a copy is refused: a token that starts without its objects
  /// would be taken for a new one.
  Result<void> restore_token_objects() const;

  /// After C_Login: keeps a copy of each token.object.
  Result<void> keep_token_objects() const;

 private:
  std::vector<std::string> folders_;
  TokenObjectCopy copy_;
};

}  // namespace keyhold::token

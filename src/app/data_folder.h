// The folder in which one process keeps everything it must find again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>

#include "base/result.h"

namespace keyhold::app {

/// A folder that this process alone uses, from open() until the object goes. Only its owner can
/// read it.
class DataFolder {
 public:
  enum class Life { kKept, kTemporary };

  /// Makes the folder if it is absent. kValidation with a sentence if it cannot be used: in use by
  /// another process, of another version, not a folder of Keyhold's, not writable.
  static Result<std::unique_ptr<DataFolder>> open(const std::filesystem::path& path);
  /// A fresh folder that is removed with the object.
  static Result<std::unique_ptr<DataFolder>> open_temporary();

  ~DataFolder();
  DataFolder(const DataFolder&) = delete;
  DataFolder& operator=(const DataFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path file(std::string_view name) const { return path_ / name; }

 private:
  DataFolder(std::filesystem::path path, int lock, Life life)
      : path_(std::move(path)), lock_(lock), life_(life) {}

  std::filesystem::path path_;
  int lock_;
  Life life_;
};

/// Names of what is in it.
inline constexpr std::string_view kStoreFile = "keyhold.db";
inline constexpr std::string_view kPinFile = "pin";
inline constexpr std::string_view kCredentialsFile = "credentials";
inline constexpr std::string_view kSocketFile = "keyhold.sock";
inline constexpr std::string_view kAuditFolder = "audit";

/// Whether it is there. kValidation with a sentence if that cannot be told: who asks may not look.
enum class Presence : std::uint8_t { kAbsent, kThere };
Result<Presence> look_for(const std::filesystem::path& path);

/// The whole of a small file. kValidation with a sentence if it cannot be read.
Result<std::string> read_file(const std::filesystem::path& path);

/// Writes a file of mode 0600 that is whole or absent after a crash.
Result<void> write_private_file(const std::filesystem::path& path, std::string_view content);

}  // namespace keyhold::app

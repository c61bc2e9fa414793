// Tells when a file changes.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "base/result.h"

namespace keyhold::app {

/// Watches the folder that the file is in, so that a file put in its place and a link pointed
/// elsewhere are changes too.
class FileWatch {
 public:
  /// Calls `changed`, on a thread of its own, after something in the file's folder was written,
  /// moved or removed; other files there count too. kValidation if the folder cannot be watched.
  static Result<std::unique_ptr<FileWatch>> start(const std::filesystem::path& file,
                                                  std::function<void()> changed);
  ~FileWatch();
  FileWatch(const FileWatch&) = delete;
  FileWatch& operator=(const FileWatch&) = delete;

 private:
  FileWatch(int events, int stop_reader, int stop_writer, std::function<void()> changed);
  void watch();

  const int events_;
  const int stop_reader_;
  const int stop_writer_;
  const std::function<void()> changed_;
  std::thread thread_;
};

}  // namespace keyhold::app

// Lines of the log that a flood of calls could write.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <string_view>

namespace keyhold::log {

/// Lets a few lines through each second, and tells how many it left out with the next. For what is
/// counted elsewhere as well, so that a token which is away does not drown the line that says so.
class LimitedLines {
 public:
  explicit LimitedLines(int lines_per_second) : lines_per_second_(lines_per_second) {}

  /// From many threads.
  void error(std::string_view line);

 private:
  const int lines_per_second_;
  std::mutex mutex_;
  std::chrono::steady_clock::time_point second_{};
  int written_ = 0;             ///< in this second
  std::uint64_t left_out_ = 0;  ///< since one was written
};

}  // namespace keyhold::log

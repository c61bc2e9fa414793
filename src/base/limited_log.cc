#include "base/limited_log.h"

#include <string>
#include <utility>

#include "base/log.h"

namespace keyhold::log {

void LimitedLines::error(std::string_view line) {
  std::uint64_t left_out = 0;
  {
    const std::lock_guard lock(mutex_);
    const auto now = std::chrono::steady_clock::now();
    if (now - second_ >= std::chrono::seconds(1)) {
      second_ = now;
      written_ = 0;
    }
    if (written_ >= lines_per_second_) {
      ++left_out_;
      return;
    }
    ++written_;
    left_out = std::exchange(left_out_, 0);
  }
  std::string text(line);
  if (left_out > 0) {
    text.append(" (before it, ").append(std::to_string(left_out)).append(" such lines left out)");
  }
  log::error(text);
}

}  // namespace keyhold::log

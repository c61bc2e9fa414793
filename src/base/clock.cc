#include "base/clock.h"

#include <ctime>

namespace keyhold {
namespace {

std::string format_utc(TimePoint time, const char* format) {
  const std::time_t seconds =
      std::chrono::floor<std::chrono::seconds>(time).time_since_epoch().count();
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[32];
  const std::size_t size = std::strftime(text, sizeof text, format, &parts);
  return {text, size};
}

}  // namespace

TimePoint SystemClock::now() const {
  return std::chrono::floor<milliseconds>(std::chrono::system_clock::now());
}

std::string to_iso8601(TimePoint time) { return format_utc(time, "%Y-%m-%dT%H:%M:%SZ"); }

std::string to_basic_iso8601(TimePoint time) { return format_utc(time, "%Y%m%dT%H%M%SZ"); }

}  // namespace keyhold

// The service's own log: one line an event, to standard error. It never receives a secret; what a
// token or a database says goes here, with the request id, and not to callers.
#pragma once

#include <cstdint>
#include <string_view>

namespace keyhold::log {

enum class Level { kDebug, kInfo, kWarning, kError };

enum class Form : std::uint8_t {
  kText,  ///< for eyes
  kJson,  ///< an object a line: `time`, `level`, `message`, and `requestId` where there is one
};

/// Lines below `level` are dropped. Before the first call: kInfo.
void set_level(Level level);
/// Before the first call: kText. To be called before there are other threads.
void set_form(Form form);

void debug(std::string_view line);
void info(std::string_view line);
void warning(std::string_view line);
void error(std::string_view line);

/// While one lives, the lines of its thread bear the id of the request it works on.
class RequestScope {
 public:
  /// `request_id` outlives the scope.
  explicit RequestScope(std::string_view request_id);
  ~RequestScope();
  RequestScope(const RequestScope&) = delete;
  RequestScope& operator=(const RequestScope&) = delete;

 private:
  std::string_view outer_;
};

}  // namespace keyhold::log

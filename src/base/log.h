// The service's own log: one line of text an event, to standard error. It never receives a secret;
// what a token or a database says goes here, with the request id, and not to callers.
#pragma once

#include <string_view>

namespace keyhold::log {

enum class Level { kDebug, kInfo, kWarning, kError };

/// Lines below `level` are dropped. Before the first call: kInfo.
void set_level(Level level);

void debug(std::string_view line);
void info(std::string_view line);
void warning(std::string_view line);
void error(std::string_view line);

}  // namespace keyhold::log

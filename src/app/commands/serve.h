// `keyhold serve` and `keyhold config check`.
#pragma once

#include <string>

namespace keyhold::app {

/// Runs the service of a configuration file until SIGTERM or SIGINT. The exit code
/// (command_error.h).
int run_serve(const std::string& config_path);

/// Prints every problem of a configuration file; exit code 2 if there is one.
int run_config_check(const std::string& config_path);

}  // namespace keyhold::app

// `keyhold init`: from a configuration file to a service that can be started.
#pragma once

#include <string>

namespace keyhold::app {

/// Makes the SoftHSM token if the configuration has one of its own, the store, the service key and
/// the administrator, whose access key is printed this once. What is there already is left as it
/// is. The exit code (command_error.h).
int run_init(const std::string& config_path);

}  // namespace keyhold::app

// `keyhold token list`: which tokens a module has.
#pragma once

#include <string>

namespace keyhold::app {

/// Of the module of a configuration file, or of the one named. Beside a service that runs, too:
/// nothing logs in. The exit code.
int run_token_list(const std::string& config_path, const std::string& module);

}  // namespace keyhold::app

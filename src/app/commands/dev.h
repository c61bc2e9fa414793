// `keyhold dev`: one process with a SoftHSM token and a SQLite store in one folder.
#pragma once

#include <string>
#include <vector>

namespace keyhold::app {

struct DevOptions {
  std::string data;  ///< empty: a temporary folder
  std::string listen = "127.0.0.1:8790";
  std::vector<std::string> settings;  ///< key=value
};

/// Runs until SIGTERM or SIGINT. Answers the process's exit code: 2 for what the user can mend, 1
/// for what failed otherwise; the sentence is on standard error.
int run_dev(const DevOptions& options);

}  // namespace keyhold::app

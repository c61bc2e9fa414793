// The configuration file: TOML, read with every problem named by its line.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "app/config.h"
#include "base/result.h"

namespace keyhold::app {

struct ConfigProblem {
  std::size_t line = 0;  ///< 0: of the file as a whole
  std::string sentence;
};

struct ConfigReading {
  Config config;                        ///< as far as it could be read
  std::vector<ConfigProblem> problems;  ///< by line
};

/// What is looked at beside the text.
enum class ConfigCheck : std::uint8_t {
  kText,   ///< the token's profile, and whether the files that are named can be read
  kStart,  ///< and what a start needs of them: certificate and key, PIN, module
};

/// Reads the text of a file for `keyhold serve`. Nothing is changed and the token is not touched.
ConfigReading read_config(std::string_view text, ConfigCheck check = ConfigCheck::kText);

/// The same of a file; one that cannot be read is a problem of line 0.
ConfigReading read_config_file(const std::string& path, ConfigCheck check = ConfigCheck::kText);

/// `FILE:LINE: sentence`, a line each.
std::string print_problems(const std::string& path, const std::vector<ConfigProblem>& problems);

/// The configuration, or kValidation with all problems in print.
Result<Config> load_config(const std::string& path);

/// The keys whose values differ and do not count before a restart, by name.
std::vector<std::string> changes_for_restart(const Config& now, const Config& wanted);

/// docs/configuration.md.
std::string print_config_page();

}  // namespace keyhold::app

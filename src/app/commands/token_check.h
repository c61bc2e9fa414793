// `keyhold token check` and `keyhold token list`: look at tokens without a service.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/secret.h"
#include "token/token_check.h"

namespace CLI {
class App;
}

namespace keyhold::app {

/// The command `token` with its own.
class TokenCommands {
 public:
  void add_to(CLI::App& cli);

  /// The exit code, if the command line named one of these commands: 0 for a token that is
  /// admitted, 1 for one that is not, 2 where it could not be looked at.
  std::optional<int> run();

 private:
  struct Options {
    std::string module;
    std::string profile;  ///< a file; empty: none
    std::string label;
    std::string serial;
    std::string uri;       ///< pkcs11:
    std::string pin_file;  ///< - for standard input
    std::string pin_source;
    std::string draft;  ///< a file to write the profile to; empty: it is printed
    std::vector<std::string> settings;
    bool json = false;  ///< CLI11 wants flags so
    bool all = false;
  };

  Result<token::TokenCheck> check() const;
  Result<Secret> read_user_pin(const std::string& source_of_uri) const;

  Options options_;
  CLI::App* check_ = nullptr;
  CLI::App* list_ = nullptr;
  std::string config_;  ///< of list
};

}  // namespace keyhold::app

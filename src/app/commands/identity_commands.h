// `keyhold principal …`, `keyhold credential …` and `keyhold policy …`: who may call and do what,
// asked of a running service.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>
#include <vector>

#include "app/commands/service_place.h"

namespace keyhold::app {

/// Takes part in the command line; must live until run() has been called.
class IdentityCommands {
 public:
  void add_to(CLI::App& cli);

  /// The exit code, if the command line named one of these commands.
  std::optional<int> run();

 private:
  struct Options {
    ServicePlace place;
    std::string account;
    std::string name;  ///< `role/app`
    std::string file;
    std::string access_key_id;
    // Of an explanation.
    std::string principal;
    std::string action;
    std::string key;
    std::string region = "us-east-1";
    std::string source_ip;
    std::vector<std::string> context;
  };
  CLI::App* add_command(CLI::App& group, const std::string& name, const std::string& help);
  std::optional<std::string> request() const;
  std::optional<std::string> explanation_request() const;

  Options options_;
  CLI::App* principal_ = nullptr;
  CLI::App* credential_ = nullptr;
  CLI::App* policy_ = nullptr;
};

}  // namespace keyhold::app

// Commands about the wrapping key of wrapped custody.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>

#include "app/commands/operator_commands.h"

namespace keyhold::app {

/// `keyhold wrapping-key list` and `keyhold wrapping-key rotate`.
class WrappingKeyCommands {
 public:
  void add_to(CLI::App& cli);
  /// The exit status, if one of the commands was given.
  std::optional<int> run();

 private:
  OperatorOptions options_;
  bool as_json_ = false;
  CLI::App* list_ = nullptr;
  CLI::App* rotate_ = nullptr;
};

}  // namespace keyhold::app

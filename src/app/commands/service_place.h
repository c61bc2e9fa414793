// Where the service is that an operator's command is about, and how it is asked.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <string_view>

#include "base/result.h"

namespace keyhold::app {

struct ServicePlace {
  std::string data;    ///< the data folder of `keyhold dev`
  std::string config;  ///< the configuration file of `keyhold serve`
};

/// Adds `--data` and `--config` to a command, one of which has to be given.
void add_place(CLI::App& command, ServicePlace& place);

/// The answer to a request of the control socket: of the service if one runs there; else, with a
/// configuration file, of this process, which logs in to the token by itself and keeps a service
/// from starting meanwhile.
Result<std::string> ask(const ServicePlace& place, std::string_view request);

}  // namespace keyhold::app

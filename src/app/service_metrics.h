// The page of metrics: what the service counts, in Prometheus' text format.
#pragma once

#include <string>

namespace keyhold::app {

class RunningService;

/// Takes no lock that a call of the API waits for longer than a copy takes, and no call of the
/// token.
std::string print_metrics(RunningService& service);

}  // namespace keyhold::app

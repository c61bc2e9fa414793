// The page of metrics: what the service counts, in Prometheus' text format.
#pragma once

#include <string>

namespace keyhold::app {

class RunningService;

/// Asks first whether the service is ready, and waits no longer for that than /readyz does. Takes
/// no lock that a call of the API waits for longer than a copy takes.
std::string print_metrics(RunningService& service);

}  // namespace keyhold::app

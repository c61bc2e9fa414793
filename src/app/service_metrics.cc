#include "app/service_metrics.h"

#include "app/metrics_text.h"
#include "app/running_service.h"

namespace keyhold::app {

std::string print_metrics(RunningService& service) {
  MetricsText text;
  text.family("keyhold_calls_total", "counter", "Calls of the API by operation and error.");
  for (const auto& row : service.metrics().read()) {
    text.sample({{"operation", row.operation}, {"error", ""}}, row.succeeded);
  }
  return std::move(text).take();
}

}  // namespace keyhold::app

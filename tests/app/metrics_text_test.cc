#include "app/metrics_text.h"

#include <gtest/gtest.h>

namespace keyhold::app {
namespace {

// https://prometheus.io/docs/instrumenting/exposition_formats/, "Text-based format".
TEST(MetricsTexts, AreInPrometheusFormat) {
  MetricsText text;
  text.family("calls_total", "counter", "Calls.");
  text.sample({}, 3);
  text.sample({{"a", "x"}, {"b", "quote \" back \\ line \n end"}}, 0.5);
  text.family("time_seconds", "histogram", "Time.");
  text.sample("_bucket", {{"le", "+Inf"}}, 12);
  EXPECT_EQ(std::move(text).take(),
            "# HELP calls_total Calls.\n# TYPE calls_total counter\n"
            "calls_total 3\n"
            "calls_total{a=\"x\",b=\"quote \\\" back \\\\ line \\n end\"} 0.5\n"
            "# HELP time_seconds Time.\n# TYPE time_seconds histogram\n"
            "time_seconds_bucket{le=\"+Inf\"} 12\n");
}

}  // namespace
}  // namespace keyhold::app

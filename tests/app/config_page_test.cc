// docs/configuration.md is the table in print. KEYHOLD_UPDATE_GOLDEN=1 writes it anew.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "app/config_file.h"
#include "tests/support/places.h"

namespace keyhold::app {
namespace {

TEST(ConfigPage, IsTheTableInPrint) {
  const std::string path = keyhold::test::source_folder() + "/docs/configuration.md";
  if (std::getenv("KEYHOLD_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path) << print_config_page();
    return;
  }
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_EQ(text.str(), print_config_page())
      << "run this test with KEYHOLD_UPDATE_GOLDEN=1 and look at what changed";
}

TEST(ConfigPage, NamesItsKeysInOrderAndEachOnce) {
  std::string_view last;
  for (const ConfigKey& key : config_keys()) {
    EXPECT_LT(last, key.name);
    last = key.name;
  }
}

// A default that is a value of its key is what the key is without being set.
TEST(ConfigPage, ShowsDefaultsThatAreTheDefaults) {
  for (const ConfigKey& key : config_keys()) {
    if (key.form != ValueForm::kNumber && key.form != ValueForm::kSwitch) continue;
    Config set;
    EXPECT_TRUE(key.set(set, key.default_value)) << key.name;
    const Config unset;
    EXPECT_EQ(set.http.queue_limit, unset.http.queue_limit) << key.name;
    EXPECT_EQ(set.http.io_threads, unset.http.io_threads) << key.name;
    EXPECT_EQ(set.http.worker_threads, unset.http.worker_threads) << key.name;
    EXPECT_EQ(set.http.heavy_worker_threads, unset.http.heavy_worker_threads) << key.name;
    EXPECT_EQ(set.http.max_connections, unset.http.max_connections) << key.name;
    EXPECT_EQ(set.http.header_limit, unset.http.header_limit) << key.name;
    EXPECT_EQ(set.http.body_limit, unset.http.body_limit) << key.name;
    EXPECT_EQ(set.http.total_body_limit, unset.http.total_body_limit) << key.name;
    EXPECT_EQ(set.rate_limit.burst, unset.rate_limit.burst) << key.name;
    EXPECT_EQ(set.rate_limit.requests_per_second, unset.rate_limit.requests_per_second);
    EXPECT_EQ(set.key_metrics, unset.key_metrics) << key.name;
    EXPECT_EQ(set.plain, unset.plain) << key.name;
    EXPECT_EQ(set.dev_tls, unset.dev_tls) << key.name;
  }
}

}  // namespace
}  // namespace keyhold::app

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
    Config set;
    const auto taken = key.set(set, key.default_value);
    if (key.form == ValueForm::kNumber || key.form == ValueForm::kSwitch) {
      EXPECT_TRUE(taken) << key.name;
    }
    if (!taken || key.form == ValueForm::kList) continue;  // "none", "all", "the profile's"
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
    EXPECT_EQ(set.http.light_work, unset.http.light_work) << key.name;
    EXPECT_EQ(set.http.idle_timeout, unset.http.idle_timeout) << key.name;
    EXPECT_EQ(set.http.write_timeout, unset.http.write_timeout) << key.name;
    EXPECT_EQ(set.http.header_read_timeout, unset.http.header_read_timeout) << key.name;
    EXPECT_EQ(set.http.body_read_timeout, unset.http.body_read_timeout) << key.name;
    EXPECT_EQ(set.drain_deadline, unset.drain_deadline) << key.name;
    EXPECT_EQ(set.kms.material_deadline, unset.kms.material_deadline) << key.name;
    EXPECT_EQ(set.kms.rotation_rules, unset.kms.rotation_rules) << key.name;
    EXPECT_EQ(set.usage_durability, unset.usage_durability) << key.name;
    EXPECT_EQ(set.listen, unset.listen) << key.name;
    EXPECT_EQ(set.admin_listen, unset.admin_listen) << key.name;
    EXPECT_EQ(set.data_folder, unset.data_folder) << key.name;
    EXPECT_EQ(set.administrator, unset.administrator) << key.name;
    EXPECT_EQ(set.log_form, unset.log_form) << key.name;
    EXPECT_EQ(set.unknown_principals, unset.unknown_principals) << key.name;
    EXPECT_EQ(set.tls.client_certificates, unset.tls.client_certificates) << key.name;
    EXPECT_EQ(set.plain, unset.plain) << key.name;
    EXPECT_EQ(set.dev_tls, unset.dev_tls) << key.name;
  }
}

}  // namespace
}  // namespace keyhold::app

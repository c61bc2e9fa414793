// The configuration file: what it is read as, and the line of every problem.
#include "app/config_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "app/token_source.h"
#include "http/tls.h"
#include "tests/support/temporary_folder.h"

namespace keyhold::app {
namespace {

std::string problems_of(const std::string& text) {
  return print_problems("f", read_config(text).problems);
}

const std::string kPin = "[token]\npin_source = \"environment:PIN\"\n";

TEST(ConfigFile, IsReadWithItsSections) {
  const auto reading = read_config(
      "account = \"123456789012\"\n"
      "regions = [\"eu-central-1\", \"us-east-1\"]\n"
      "[http]\nio_threads = 5\nidle_timeout = \"2m\"\n"
      "[listen]\naddress = \"10.0.0.1:443\"\ninsecure = true\n"
      "[admin]\nlisten = \"none\"\n"
      "[audit]\ndurability = \"before-reply\"\n"
      "[limits]\nrequests_per_second = 7\n" +
      kPin + "uri = \"pkcs11:token=mine;serial=17\"\n" +
      "[profile.sessions]\nmax_sessions = 12\ncalls_at_once = 10\n"
      "[profile.recovery]\nreinit_on = [\"CKR_DEVICE_ERROR\", \"CKR_DEVICE_REMOVED\"]\n"
      "backoff_first = \"250ms\"\n"
      "[profile.module.env]\nSOFTHSM2_CONF = \"/x y\"\n");
  EXPECT_EQ(print_problems("f", reading.problems), "");
  const Config& config = reading.config;
  EXPECT_EQ(config.account, "123456789012");
  EXPECT_EQ(config.regions, (std::set<std::string, std::less<>>{"eu-central-1", "us-east-1"}));
  EXPECT_EQ(config.http.io_threads, 5U);
  EXPECT_EQ(config.http.idle_timeout, std::chrono::minutes(2));
  EXPECT_EQ(config.listen, (ListenAddress{"10.0.0.1", 443}));
  EXPECT_FALSE(config.admin_listen);
  EXPECT_EQ(config.usage_durability, audit::Durability::kBeforeReturn);
  EXPECT_EQ(config.rate_limit.requests_per_second, 7U);
  const auto profile = read_token_profile(config);
  ASSERT_TRUE(profile) << profile.error().message();
  EXPECT_EQ(profile->token_label, "mine");
  EXPECT_EQ(profile->token_serial, "17");
  EXPECT_EQ(profile->max_sessions, 12U);
  EXPECT_EQ(profile->reinit_on.size(), 2U);
  EXPECT_EQ(profile->backoff_first, std::chrono::milliseconds(250));
  ASSERT_EQ(profile->module_env.size(), 1U);
  EXPECT_EQ(profile->module_env[0].second, "/x y");
}

TEST(ConfigFile, NamesEveryProblemWithItsLine) {
  EXPECT_EQ(problems_of(kPin + "[htp]\n"
                               "io_threads = 4\n"
                               "[http]\n"
                               "io_threads = \"4\"\n"
                               "worker_threads = 0\n"
                               "[log]\n"
                               "level = \"loud\"\n"
                               "[dev]\n"
                               "tls = true\n"
                               "[profile.sessions]\n"
                               "max_session = 4\n"),
            "f:4: there is no configuration key 'htp.io_threads'\n"
            "f:6: http.io_threads must be a number\n"
            "f:7: http.worker_threads: '0' is not a number from 1 to 256\n"
            "f:9: log.level: 'loud' is not debug, info, warning or error\n"
            "f:11: dev.tls is for `keyhold dev` alone\n"
            "f:13: profile: sessions.max_session: unknown key\n");
}

TEST(ConfigFile, NamesTheLineOfWhatIsNoToml) {
  EXPECT_TRUE(problems_of("account = \"1\"\n\nlisten = = 3\n").starts_with("f:3: "));
}

TEST(ConfigFile, RefusesPlainConnectionsFromElsewhereUnlessItSaysSo) {
  const std::string listen = "[listen]\naddress = \"0.0.0.0:8790\"\n";
  EXPECT_EQ(problems_of(kPin + listen),
            "f:4: listen.address 0.0.0.0 is not a loopback address, and there is no TLS: set "
            "tls.certificate, or listen.insecure = true\n");
  EXPECT_EQ(problems_of(kPin + listen + "insecure = true\n"), "");
  EXPECT_EQ(problems_of(kPin + "[listen]\naddress = \"[::1]:8790\"\n"), "");
}

TEST(ConfigFile, RefusesHalvesOfTls) {
  EXPECT_EQ(problems_of(kPin + "[tls]\ncertificate = \"/dev/null\"\n"),
            "f:4: tls.certificate needs tls.private_key\n");
  EXPECT_EQ(problems_of(kPin + "[tls]\nprivate_key = \"/dev/null\"\n"),
            "f:4: tls.private_key needs tls.certificate\n");
  EXPECT_EQ(problems_of(kPin + "[tls]\ncertificate = \"/dev/null\"\nprivate_key = \"/dev/null\"\n"
                               "client_certificates = \"required\"\n"),
            "f:6: tls.client_certificates needs tls.client_authorities\n");
  EXPECT_EQ(
      problems_of(kPin + "[tls]\ncertificate = \"/nowhere/c\"\nprivate_key = \"/dev/null\"\n"),
      "f:4: tls.certificate: /nowhere/c cannot be read\n");
}

TEST(ConfigFile, NeedsToKnowWhereThePinIs) {
  EXPECT_EQ(problems_of("account = \"000000000001\"\n"),
            "f: token.pin_source is missing: it says where the token's PIN is read from\n");
}

TEST(ConfigFile, DoesNotRepeatAPinThatStandsInIt) {
  const std::string said = problems_of("[token]\npin_source = \"123456\"\n");
  EXPECT_EQ(said.find("123456"), std::string::npos) << said;
  EXPECT_TRUE(said.starts_with("f:2: token.pin_source: ")) << said;
  const std::string uri = problems_of("[token]\nuri = \"pkcs11:token=t?pin-value=123456\"\n");
  EXPECT_EQ(uri.find("123456"), std::string::npos) << uri;
  EXPECT_NE(uri, "");
}

TEST(ConfigFile, ThatIsNotThereIsAProblem) {
  EXPECT_NE(print_problems("f", read_config_file("/nowhere/at/all").problems), "");
}

TEST(ConfigFile, ThatIsAFolderIsAProblem) {
  EXPECT_EQ(print_problems("f", read_config_file("/tmp").problems),
            "f: cannot read /tmp: Is a directory\n");
}

TEST(ConfigFile, NamesTheLineOfATokensAddress) {
  EXPECT_EQ(problems_of(kPin + "uri = \"pkcs11:token=t;slot-id=3\"\n"),
            "f:3: the token's URI: attribute 'slot-id' does not name a token\n");
  EXPECT_EQ(problems_of(kPin + "uri = \"pkcs11:manufacturer=x\"\n"),
            "f:3: the token's URI: the URI names neither token nor serial, so that it would match "
            "any token\n");
}

TEST(ConfigFile, RefusesAnAdminAddressThatTheApisCovers) {
  const auto said = [](const std::string& listen, const std::string& admin) {
    return problems_of(kPin + "[listen]\naddress = \"" + listen +
                       "\"\ninsecure = true\n[admin]\nlisten = \"" + admin + "\"\n");
  };
  const std::string covered =
      "f:7: admin.listen is covered by listen.address, which has the same port\n";
  EXPECT_EQ(said("127.0.0.1:8791", "127.0.0.1:8791"),
            "f:7: admin.listen is the address of listen.address\n");
  EXPECT_EQ(said("0.0.0.0:8791", "127.0.0.1:8791"), covered);
  EXPECT_EQ(said("[::]:8791", "127.0.0.1:8791"), covered);
  EXPECT_EQ(said("[::]:8791", "0.0.0.0:8791"), covered);
  EXPECT_EQ(said("10.0.0.1:8791", "0.0.0.0:8791"), covered);
  for (const char* admin : {"127.0.0.1:8792", "[::1]:8791", "127.0.0.1:0"}) {
    EXPECT_EQ(said("0.0.0.0:8791", admin), "") << admin;
  }
  EXPECT_EQ(said("0.0.0.0:0", "0.0.0.0:0"), "");
}

class ConfigStart : public ::testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text, mode_t mode = 0600) {
    const std::string path = (folder_.path() / name).string();
    std::ofstream(path) << text;
    ::chmod(path.c_str(), mode);
    return path;
  }
  static std::string problems_at_start(const std::string& text) {
    return print_problems("f", read_config(text, ConfigCheck::kStart).problems);
  }
  /// A certificate and its key, under that name.
  std::pair<std::string, std::string> pair(const std::string& name, mode_t mode = 0600) {
    const auto made = http::make_self_signed_certificate({"localhost"});
    return {write(name + ".pem", made->certificate),
            write(name + ".key", std::string(made->private_key.text()), mode)};
  }
  std::string tls(const std::string& certificate, const std::string& key) const {
    return token_ + "[tls]\ncertificate = \"" + certificate + "\"\nprivate_key = \"" + key + "\"\n";
  }

  const keyhold::test::TemporaryFolder folder_;
  const std::string module_ = write("module.so", "");
  const std::string pin_ = write("pin", "1234\n");
  const std::string token_ =
      "[token]\npin_source = \"file:" + pin_ + "\"\nmodule = \"" + module_ + "\"\n";
};

TEST_F(ConfigStart, IsInOrderWithAllThatItNeeds) {
  const auto [certificate, key] = pair("one");
  EXPECT_EQ(problems_at_start(tls(certificate, key)), "");
  EXPECT_EQ(problems_at_start(tls(certificate, key) + "client_certificates = \"required\"\n" +
                              "client_authorities = \"" + certificate + "\"\n"),
            "");
}

TEST_F(ConfigStart, NeedsAKeyThatIsTheCertificatesAndNobodyElses) {
  const auto [certificate, key] = pair("one");
  const auto [other, other_key] = pair("other", 0604);
  EXPECT_EQ(problems_at_start(tls(certificate, other_key)),
            "f:6: tls.private_key: every user of the machine may use the private key " + other_key +
                "; chmod o= it\n");
  EXPECT_EQ(problems_at_start(tls(other, key)),
            "f:6: tls.private_key: TLS: the private key is not that of the certificate.\n");
  EXPECT_EQ(problems_at_start(tls(key, certificate)),
            "f:5: tls.certificate: TLS: the certificate is not a list of certificates in PEM.\n");
  EXPECT_EQ(problems_at_start(tls(certificate, key) + "client_certificates = \"required\"\n" +
                              "client_authorities = \"" + key + "\"\n"),
            "f:8: tls.client_authorities: TLS: the client authority is not a list of certificates "
            "in PEM.\n");
}

TEST_F(ConfigStart, NeedsThePin) {
  ::chmod(pin_.c_str(), 0644);
  EXPECT_EQ(problems_at_start(token_), "f:2: the PIN cannot be read from " + pin_ +
                                           ": every user of the machine may use the file; chmod "
                                           "o= it\n");
  const std::string variable =
      "[token]\nmodule = \"" + module_ + "\"\npin_source = \"environment:KEYHOLD_TEST_PIN\"\n";
  ::unsetenv("KEYHOLD_TEST_PIN");
  EXPECT_EQ(problems_at_start(variable),
            "f:3: the PIN cannot be read from the environment: there is no KEYHOLD_TEST_PIN\n");
  ::setenv("KEYHOLD_TEST_PIN", "1234", 1);
  EXPECT_EQ(problems_at_start(variable), "");
  EXPECT_STREQ(std::getenv("KEYHOLD_TEST_PIN"), "1234");
  ::unsetenv("KEYHOLD_TEST_PIN");
}

TEST_F(ConfigStart, NeedsNoPinThatInitMakes) {
  std::filesystem::remove(pin_);
  EXPECT_NE(problems_at_start(token_), "");
  EXPECT_EQ(problems_at_start(token_ + "softhsm_folder = \"" + (folder_.path() / "token").string() +
                              "\"\n"),
            "");
}

TEST_F(ConfigStart, NeedsTheModule) {
  EXPECT_EQ(
      problems_at_start("[token]\npin_source = \"" + pin_ + "\"\nmodule = \"/nowhere/m.so\"\n"),
      "f:3: the token's module /nowhere/m.so cannot be read\n");
}

TEST_F(ConfigStart, NamesEveryProblemOfAProfile) {
  const std::string profile = write("profile.toml",
                                    "[module]\npath = 3\n"
                                    "[keys]\ncustody = \"loose\"\nwrap_iv = 1\n"
                                    "[sessions]\nmax_session = 4\n"
                                    "[section]\nvalue = 1\n"
                                    "[storage]\nsync_folders = [\"here\"]\n");
  const std::string text = "[token]\npin_source = \"" + pin_ + "\"\nprofile = \"";
  const std::string start = "f:3: " + profile;
  EXPECT_EQ(problems_at_start(text + profile + "\"\n[profile.keys]\ngcm_iv = \"mine\"\n"),
            start + ":2: module.path: must be a string\n" +  //
                start + ":4: keys.custody: must be \"resident\" or \"wrapped\"\n" + start +
                ":5: keys.wrap_iv: must be \"null\" or \"caller\"\n" + start +
                ":7: sessions.max_session: unknown key\n" + start +
                ":8: section: unknown section\n" + start +
                ":11: storage.sync_folders: must be a list of absolute paths\n"
                "f:5: profile: keys.gcm_iv: must be \"caller\", \"token-in-buffer\" or "
                "\"token-behind-message\"\n");
  EXPECT_EQ(problems_at_start(text + "/nowhere.toml\"\n"),
            "f:3: profile: /nowhere.toml: cannot be read\n");
  EXPECT_EQ(problems_at_start(text + "/tmp\"\n"), "f:3: profile: /tmp: cannot be read\n");
}

TEST(ConfigFile, KnowsWhatARestartIsNeededFor) {
  const auto now = read_config(kPin + "[http]\nio_threads = 2\n[limits]\nburst = 3\n");
  const auto wanted = read_config(kPin + "[http]\nio_threads = 3\n[limits]\nburst = 4\n" +
                                  "[profile.recovery]\nbackoff_first = \"1s\"\n");
  EXPECT_EQ(changes_for_restart(now.config, wanted.config),
            (std::vector<std::string>{"http.io_threads", "profile.recovery.backoff_first"}));
  EXPECT_TRUE(changes_for_restart(now.config, now.config).empty());
}

TEST(ListenAddresses, AreHostAndPort) {
  EXPECT_EQ(*parse_listen_address("localhost:80"), (ListenAddress{"127.0.0.1", 80}));
  EXPECT_EQ(*parse_listen_address("[::]:80"), (ListenAddress{"::", 80}));
  for (const char* bad : {"", ":80", "1.2.3.4", "::1:80", "1.2.3.4:", "1.2.3.4:x", "1.2.3.4:70000",
                          "[]:1", "1.2.3.4:-1"}) {
    EXPECT_FALSE(parse_listen_address(bad)) << bad;
  }
}

}  // namespace
}  // namespace keyhold::app

// Where a PIN is read from, and what is refused.
#include "app/pin_source.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace keyhold::app {
namespace {

class PinSources : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "/pin-XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string write(const std::string& text, mode_t mode) {
    const std::string path = folder_ + "/pin";
    std::ofstream(path) << text;
    ::chmod(path.c_str(), mode);
    return path;
  }
  static std::string pin_of(const std::string& source) {
    const auto parsed = parse_pin_source(source);
    if (!parsed) return "refused: " + parsed.error().message();
    const auto pin = read_pin(*parsed);
    return pin ? std::string(pin->text()) : "refused: " + pin.error().message();
  }
  std::string folder_;
};

TEST_F(PinSources, AreFiles) {
  const std::string path = write("1234\n", 0600);
  EXPECT_EQ(pin_of("file:" + path), "1234");
  EXPECT_EQ(pin_of(path), "1234");
}

TEST_F(PinSources, AreNotFilesThatEverybodyReads) {
  const std::string said = pin_of("file:" + write("1234", 0644));
  EXPECT_TRUE(said.starts_with("refused: ")) << said;
  EXPECT_EQ(said.find("1234"), std::string::npos) << said;
}

TEST_F(PinSources, AreNotEmptyAndNotMissing) {
  EXPECT_TRUE(pin_of("file:" + write("\n", 0600)).starts_with("refused: "));
  EXPECT_TRUE(pin_of("file:" + folder_ + "/none").starts_with("refused: "));
  EXPECT_TRUE(pin_of("file:" + write(std::string(2000, 'x'), 0600)).starts_with("refused: "));
}

TEST_F(PinSources, AreCredentialsOfSystemd) {
  write("5678", 0400);
  ::unsetenv("CREDENTIALS_DIRECTORY");
  EXPECT_TRUE(pin_of("credential:pin").starts_with("refused: "));
  ::setenv("CREDENTIALS_DIRECTORY", folder_.c_str(), 1);
  EXPECT_EQ(pin_of("credential:pin"), "5678");
  EXPECT_TRUE(pin_of("credential:../pin").starts_with("refused: "));
  ::unsetenv("CREDENTIALS_DIRECTORY");
}

TEST_F(PinSources, AreVariablesThatAreGoneAfterwards) {
  ::setenv("KEYHOLD_TEST_PIN", "abc", 1);
  EXPECT_EQ(pin_of("environment:KEYHOLD_TEST_PIN"), "abc");
  EXPECT_EQ(std::getenv("KEYHOLD_TEST_PIN"), nullptr);
  EXPECT_TRUE(pin_of("environment:KEYHOLD_TEST_PIN").starts_with("refused: "));
}

TEST_F(PinSources, AreNothingElse) {
  for (const char* bad : {"", "1234", "file:relative", "credential:", "pkcs11:token=x"}) {
    EXPECT_FALSE(parse_pin_source(bad)) << bad;
  }
  EXPECT_FALSE(read_pin(PinSource{}));
}

}  // namespace
}  // namespace keyhold::app

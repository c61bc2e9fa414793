// A token that is not there when it is opened.
#include <fstream>
#include <thread>

#include "fault_fixture.h"

namespace keyhold::token::test {
namespace {

namespace fs = std::filesystem;

// ---------------------------------------------------------------------- a token that is not there

class AbsentTest : public FaultTest {
 protected:
  void SetUp() override {
    FaultTest::SetUp();
    close();
  }
  /// Opens token_ although it is away.
  void open_later() {
    auto opened =
        Pkcs11Token::open(profile(kFast), Secret(kPin), clock_, random_, WhenAbsent::kWait);
    ASSERT_TRUE(opened) << why(opened);
    token_ = std::move(*opened);
    EXPECT_EQ(token_->health().readiness, Readiness::kRecovering);
    EXPECT_EQ(token_->health().last_trouble, Trouble::kAbsent);
    EXPECT_EQ(token_->wait_until_available(std::chrono::milliseconds(0)), Available::kNo);
    EXPECT_EQ(token_->check().error().code(), ErrorCode::kKeyUnavailable);
    EXPECT_EQ(token_->generate_material(draw_name(), "a key", {}).error().code(),
              ErrorCode::kKeyUnavailable);
    EXPECT_EQ(token_->list_objects().error().code(), ErrorCode::kKeyUnavailable);
    EXPECT_EQ(token_->usage().session_objects_made, 0U);
  }
  void expect_that_it_comes() {
    EXPECT_EQ(token_->wait_until_available(std::chrono::seconds(20)), Available::kYes);
    EXPECT_FALSE(token_->admission().needed.empty());
    EXPECT_NE(token_->identity().serial, "");
    const auto key = token_->encryption_key(material_);
    ASSERT_TRUE(key) << why(key);
    EXPECT_TRUE(token_->encrypt(**key, iv_, as_bytes("aad"), as_bytes("more")));
    EXPECT_TRUE(token_->check_material(material_));
  }
};

TEST_F(AbsentTest, AModuleThatCannotReachItsTokenYetIsTriedUntilItCan) {
  files_.set_script("C_Initialize * CKR_DEVICE_ERROR\n");
  open_later();
  EXPECT_EQ(token_->identity().serial, "");
  files_.set_script("");
  expect_that_it_comes();
}

TEST_F(AbsentTest, ATokenFolderThatIsNotMountedYetIsWaitedFor) {
  const fs::path away = folder_.path() / "tokens.away";
  fs::rename(tokens(), away);
  open_later();
  fs::rename(away, tokens());
  expect_that_it_comes();
}

TEST_F(AbsentTest, EveryCallOfTheFirstStartMayFailAndTheTokenComesAllTheSame) {
  for (const char* function : {"C_GetSlotList", "C_GetTokenInfo", "C_OpenSession", "C_Login"}) {
    files_.set_script(std::string(function) + " * CKR_TOKEN_NOT_PRESENT\n");
    open_later();
    files_.set_script("");
    expect_that_it_comes();
    close();
  }
}

TEST_F(AbsentTest, WithoutTheWillToWaitAnAbsentTokenIsAnError) {
  files_.set_script("C_Initialize * CKR_DEVICE_ERROR\n");
  const auto opened = Pkcs11Token::open(profile(kFast), Secret(kPin), clock_, random_);
  EXPECT_EQ(opened.error().code(), ErrorCode::kKeyUnavailable);
}

TEST_F(AbsentTest, WhatAnOperatorMustMendIsNotWaitedFor) {
  const auto refusal = [&](const std::vector<std::string>& overrides, const char* pin) {
    return Pkcs11Token::open(profile(overrides), Secret(pin), clock_, random_, WhenAbsent::kWait)
        .error();
  };
  files_.forget_calls();
  EXPECT_EQ(refusal(kFast, "wrong-pin-1").code(), ErrorCode::kKeyUnavailable);
  EXPECT_EQ(files_.calls("C_Login"), 1);
  EXPECT_NE(refusal({"module.path=/nonexistent/module.so"}, kPin).detail().find("loading"),
            std::string::npos);
  files_.set_script("C_Initialize * CKR_ARGUMENTS_BAD\n");
  EXPECT_NE(refusal(kFast, kPin).detail().find("CKR_ARGUMENTS_BAD"), std::string::npos);
  files_.set_script("C_GenerateRandom * CKR_FUNCTION_NOT_SUPPORTED\n");
  EXPECT_NE(refusal(kFast, kPin).detail().find("not admitted"), std::string::npos);
}

TEST_F(AbsentTest, AServiceThatNeverSawItsTokenEndsAtOnce) {
  files_.set_script("C_Initialize * CKR_DEVICE_ERROR\n");
  open_later();
  close();
  EXPECT_EQ(token_, nullptr);
}

}  // namespace
}  // namespace keyhold::token::test

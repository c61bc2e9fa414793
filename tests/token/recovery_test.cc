// How a token that was lost comes back, and what is told of it meanwhile.
#include <atomic>
#include <fstream>
#include <thread>

#include "fault_fixture.h"

namespace keyhold::token::test {
namespace {

namespace fs = std::filesystem;

// -------------------------------------------------------------------------------------- recovery

TEST_F(FaultTest, AFaultOfTheDeviceIsRecoveredFromWhileCallsAreRefused) {
  files_.set_script("C_EncryptInit 1 CKR_DEVICE_ERROR\n");
  EXPECT_EQ(encrypt().error().code(), ErrorCode::kKeyUnavailable);
  files_.set_script("");
  expect_whole();
  EXPECT_EQ(token_->usage().recoveries, 1U);
}

// What a token answers that has lost a session, or the login.
constexpr std::array<std::string_view, 4> kSessionCodes = {
    "CKR_SESSION_HANDLE_INVALID", "CKR_SESSION_CLOSED", "CKR_OPERATION_ACTIVE",
    "CKR_USER_NOT_LOGGED_IN"};

TEST_F(FaultTest, SessionsThatStayLostAreRecoveredFromOnceTheTokenHasThemAgain) {
  std::uint64_t opened = 0;
  for (const std::string_view code : kSessionCodes) {
    SCOPED_TRACE(code);
    ++opened;
    files_.set_script("C_EncryptInit * " + std::string(code) + "\n");
    EXPECT_TRUE(eventually([&] {
      EXPECT_EQ(encrypt().error().code(), ErrorCode::kKeyUnavailable);
      // What still works does not hide it.
      static_cast<void>(decrypt(ciphertext_));
      return token_->health().times_opened == opened;
    }));
    const auto failed = token_->health().failed_trials;
    EXPECT_TRUE(eventually([&] { return token_->health().failed_trials > failed + 1; }));
    EXPECT_EQ(token_->health().last_trouble, Trouble::kGone);
    EXPECT_NE(token_->health().last_error.find(code), std::string::npos)
        << token_->health().last_error;
    files_.set_script("");
    expect_whole();
    EXPECT_EQ(token_->health().times_opened, opened);
    EXPECT_EQ(token_->health().recoveries, opened);
  }
}

TEST_F(FaultTest, ALostSessionIsReplacedAndNothingElseDone) {
  for (const std::string_view code : kSessionCodes) {
    SCOPED_TRACE(code);
    for (const std::string_view function : {"C_EncryptInit", "C_DecryptInit"}) {
      files_.set_script(std::string(function) + " 1 " + std::string(code) + "\n");
      EXPECT_TRUE(encrypt());
      EXPECT_TRUE(decrypt(ciphertext_));
    }
  }
  EXPECT_EQ(token_->health().times_opened, 0U);
}

TEST_F(FaultTest, ALoginThatIsLostWithItsSessionsIsReplacedWithThem) {
  files_.set_script("C_EncryptInit 1 CKR_SESSION_CLOSED\nC_EncryptInit 2 CKR_USER_NOT_LOGGED_IN\n");
  EXPECT_TRUE(encrypt());
}

TEST_F(FaultTest, ASessionThatIsLostTwiceInARowIsNoLostTokenYet) {
  for (const std::string_view code : {kSessionCodes[0], kSessionCodes[3]}) {
    SCOPED_TRACE(code);
    files_.set_script("C_EncryptInit 1 " + std::string(code) + "\nC_EncryptInit 2 " +
                      std::string(code) + "\n");
    EXPECT_EQ(encrypt().error().code(), ErrorCode::kKeyUnavailable);
    EXPECT_TRUE(encrypt());
  }
  EXPECT_EQ(token_->health().times_opened, 0U);
}

TEST_F(FaultTest, ALookThatMeetsALostSessionOrLoginIsNoLostToken) {
  for (const std::string_view code : kSessionCodes) {
    SCOPED_TRACE(code);
    files_.set_script("C_GetSessionInfo 1 " + std::string(code) + "\n");
    const auto checked = token_->check();
    EXPECT_TRUE(checked) << why(checked);
  }
  EXPECT_EQ(token_->health().times_opened, 0U);
}

TEST_F(FaultTest, CallsAreRefusedAtOnceForAsLongAsTheTokenDoesNotComeBack) {
  files_.set_script("C_EncryptInit 1 CKR_TOKEN_NOT_PRESENT\nC_Initialize * CKR_DEVICE_ERROR\n");
  EXPECT_FALSE(encrypt());
  const auto start = steady_clock::now();
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(encrypt().error().code(), ErrorCode::kKeyUnavailable);
    EXPECT_EQ(decrypt(ciphertext_).error().code(), ErrorCode::kKeyUnavailable);
    EXPECT_EQ(token_->check().error().code(), ErrorCode::kKeyUnavailable);
    EXPECT_EQ(token_->encryption_key(material_).error().code(), ErrorCode::kKeyUnavailable);
  }
  EXPECT_LT(steady_clock::now() - start, std::chrono::seconds(1));
  files_.set_script("");
  expect_whole();
}

TEST_F(FaultTest, AttemptsToRecoverAreSpacedOutAndBounded) {
  files_.set_script("C_EncryptInit 1 CKR_DEVICE_REMOVED\nC_Initialize * CKR_DEVICE_ERROR\n");
  files_.forget_calls();
  EXPECT_FALSE(encrypt());
  std::this_thread::sleep_for(std::chrono::milliseconds(600));
  const auto attempts = files_.calls("C_Initialize");
  EXPECT_GE(attempts, 5);
  EXPECT_LE(attempts, 70);  // from 5 ms doubling to 20 ms, never less than half of it
  files_.set_script("");
  expect_whole();
}

TEST_F(FaultTest, ATokenFolderThatVanishesAndReturnsIsRecoveredWithoutARestart) {
  const fs::path away = folder_.path() / "tokens.away";
  fs::rename(tokens(), away);
  EXPECT_EQ(token_->check().error().code(), ErrorCode::kKeyUnavailable);
  EXPECT_EQ(token_->encryption_key(material_).error().code(), ErrorCode::kKeyUnavailable);
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  const auto start = steady_clock::now();
  EXPECT_EQ(decrypt(ciphertext_).error().code(), ErrorCode::kKeyUnavailable);
  EXPECT_LT(steady_clock::now() - start, std::chrono::milliseconds(200));
  fs::rename(away, tokens());
  expect_whole();
}

TEST_F(FaultTest, AVanishedFolderIsNoticedByTheFirstCallThatNeedsAnObjectOfTheToken) {
  const Material other = generate();
  const fs::path away = folder_.path() / "tokens.away";
  fs::rename(tokens(), away);
  EXPECT_EQ(token_->encryption_key(other).error().code(), ErrorCode::kKeyUnavailable);
  EXPECT_EQ(token_->destroy_material(other.object_name).error().code(), ErrorCode::kKeyUnavailable);
  EXPECT_EQ(token_->adopt_material(other.object_name, {}).error().code(),
            ErrorCode::kKeyUnavailable);
  fs::rename(away, tokens());
  expect_whole();
  EXPECT_TRUE(token_->check_material(other));
}

TEST_F(FaultTest, ACallThatHangsMakesTheTokenUnavailableAndNotTheService) {
  close();
  auto overrides = kFast;
  overrides.push_back("sessions.call_timeout=150ms");
  open(overrides);
  auto key = token_->encryption_key(material_);
  ASSERT_TRUE(key) << why(key);
  key_ = *key;
  files_.set_script("C_EncryptInit 1 delay:1200\n");
  std::thread hanging([&] { static_cast<void>(encrypt()); });
  std::this_thread::sleep_for(std::chrono::milliseconds(600));
  const auto start = steady_clock::now();
  EXPECT_EQ(token_->random(8).error().code(), ErrorCode::kKeyUnavailable);
  EXPECT_LT(steady_clock::now() - start, std::chrono::milliseconds(100));
  hanging.join();
  files_.set_script("");
  EXPECT_TRUE(healthy_within(std::chrono::seconds(20)));
  EXPECT_TRUE(encrypt());
}

TEST_F(FaultTest, PrimesMayTakeLongerThanACallMay) {
  close();
  auto overrides = kFast;
  overrides.push_back("sessions.call_timeout=150ms");
  open(overrides);
  files_.set_script("C_GenerateKeyPair 1 delay:1200\n");
  std::thread seeking([&] {
    EXPECT_TRUE(
        token_->generate_material(draw_name(), "rsa", {KeySpec::kRsa2048, KeyUsage::kSignVerify}));
  });
  for (int i = 0; i < 6; ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    EXPECT_TRUE(token_->random(8));
  }
  seeking.join();
  EXPECT_EQ(token_->usage().recoveries, 0U);
}

TEST_F(FaultTest, RecoveryUnderLoadEndsWithEveryThreadServed) {
  std::atomic<bool> ending{false};
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      while (!ending) {
        const auto key = token_->encryption_key(material_);
        const auto opened = decrypt(ciphertext_);
        if (opened && opened->text() != "plaintext") ++wrong;
        if (!opened && opened.error().code() != ErrorCode::kKeyUnavailable) ++wrong;
        if (!key && key.error().code() != ErrorCode::kKeyUnavailable) ++wrong;
      }
    });
  }
  for (std::uint64_t round = 1; round <= 5; ++round) {
    files_.set_script("C_DecryptInit 20 CKR_DEVICE_ERROR\n");
    const auto deadline = steady_clock::now() + std::chrono::seconds(20);
    while (token_->usage().recoveries < round && steady_clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    EXPECT_GE(token_->usage().recoveries, round);
  }
  ending = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
  files_.set_script("");
  expect_whole();
}

TEST_F(FaultTest, ATokenIsFoundAgainWhereverItsSlotIsNow) {
  const auto serial = token_->identity().serial;
  // A second token takes the place of the first in the list, and the empty slot moves.
  files_.set_script("");
  make_second_token();
  files_.set_script("C_EncryptInit 1 CKR_SLOT_ID_INVALID\n");
  EXPECT_FALSE(encrypt());
  files_.set_script("");
  expect_whole();
  EXPECT_EQ(token_->identity().serial, serial);
}

TEST_F(FaultTest, AnotherTokenUnderTheSameLabelIsNotTakenForTheLostOne) {
  const fs::path ours = token_folder();
  const fs::path away = folder_.path() / "our-token";
  make_second_token();
  fs::rename(ours, away);
  EXPECT_FALSE(token_->check());
  ASSERT_TRUE(eventually([&] { return token_->health().failed_trials >= 2; }));
  EXPECT_NE(token_->health().last_error.find("finding the token"), std::string::npos);
  fs::rename(away, ours);
  expect_whole();
}

// ------------------------------------------------------------------------------ the token's health

TEST_F(FaultTest, AWellTokenIsReadyAndHasHadNoTrouble) {
  const TokenHealth health = token_->health();
  EXPECT_EQ(health.readiness, Readiness::kReady);
  EXPECT_EQ(health.breaker, BreakerState::kClosed);
  EXPECT_EQ(health.last_trouble, Trouble::kNone);
  EXPECT_EQ(health.hung_calls, 0U);
  EXPECT_EQ(health.times_opened, 0U);
}

TEST_F(FaultTest, HealthTellsOfALostTokenWhileItIsAwayAndAfterwards) {
  files_.set_script("C_EncryptInit 1 CKR_DEVICE_REMOVED\nC_Initialize * CKR_DEVICE_ERROR\n");
  EXPECT_FALSE(encrypt());
  ASSERT_TRUE(eventually([&] { return token_->health().failed_trials >= 2; }));
  const TokenHealth away = token_->health();
  EXPECT_EQ(away.readiness, Readiness::kRecovering);
  EXPECT_NE(away.breaker, BreakerState::kClosed);
  EXPECT_EQ(away.last_trouble, Trouble::kGone);
  EXPECT_EQ(away.times_opened, 1U);
  EXPECT_NE(away.last_error.find("CKR_DEVICE_ERROR"), std::string::npos) << away.last_error;
  files_.set_script("");
  expect_whole();
  const TokenHealth back = token_->health();
  EXPECT_EQ(back.readiness, Readiness::kReady);
  EXPECT_EQ(back.recoveries, 1U);
  EXPECT_EQ(back.times_opened, 1U);
}

TEST_F(FaultTest, ARefusedPinIsGivenUpOnUntilAnOperatorActs) {
  files_.set_script("C_EncryptInit 1 CKR_DEVICE_ERROR\nC_Login * CKR_PIN_LOCKED\n");
  EXPECT_FALSE(encrypt());
  ASSERT_TRUE(eventually([&] { return token_->health().readiness == Readiness::kGivenUp; }));
  EXPECT_EQ(token_->health().last_trouble, Trouble::kPinRefused);
}

TEST_F(FaultTest, ACallersBadInputNeverOpensTheBreaker) {
  files_.set_script("C_Decrypt * CKR_FUNCTION_FAILED\n");  // so nShield says that a tag is wrong
  for (int i = 0; i < 2; ++i) EXPECT_FALSE(decrypt(ciphertext_));
  files_.set_script("C_Decrypt * CKR_DATA_LEN_RANGE\n");
  for (int i = 0; i < 50; ++i) EXPECT_FALSE(decrypt(ciphertext_));
  files_.set_script("C_Decrypt * CKR_KEY_FUNCTION_NOT_PERMITTED\n");
  for (int i = 0; i < 50; ++i) EXPECT_FALSE(decrypt(ciphertext_));
  files_.set_script("");
  for (int i = 0; i < 50; ++i) {
    clock_.advance(std::chrono::seconds(2));  // so that each is judged
    EXPECT_EQ(decrypt(damaged()).error().code(), ErrorCode::kInvalidCiphertext);
  }
  EXPECT_EQ(token_->health().times_opened, 0U);
  EXPECT_TRUE(encrypt());
}

TEST_F(FaultTest, ACallThatNeverComesBackMakesTheProcessAskForItsRestart) {
  close();
  auto overrides = kFast;
  overrides.push_back("sessions.call_timeout=50ms");
  overrides.push_back("recovery.restart_after_hang=100ms");
  open(overrides);
  auto key = token_->encryption_key(material_);
  ASSERT_TRUE(key) << why(key);
  key_ = *key;
  files_.set_script("C_EncryptInit 1 delay:2000\n");
  std::thread hanging([&] { static_cast<void>(encrypt()); });
  EXPECT_TRUE(eventually([&] { return token_->health().readiness == Readiness::kStuck; }));
  const TokenHealth stuck = token_->health();
  EXPECT_EQ(stuck.hung_calls, 1U);
  EXPECT_EQ(stuck.breaker, BreakerState::kOpen);
  EXPECT_EQ(stuck.last_trouble, Trouble::kHungCall);
  hanging.join();
  // It came back after all.
  files_.set_script("");
  EXPECT_TRUE(eventually([&] { return token_->health().readiness == Readiness::kReady; }));
  EXPECT_TRUE(encrypt());
}

TEST_F(FaultTest, AnAttemptToRecoverThatHangsMakesTheProcessAskForItsRestart) {
  close();
  auto overrides = kFast;
  overrides.push_back("sessions.call_timeout=50ms");
  overrides.push_back("recovery.restart_after_hang=100ms");
  open(overrides);
  files_.set_script("C_GenerateRandom 1 CKR_DEVICE_ERROR\nC_Initialize 1 delay:1500\n");
  EXPECT_FALSE(token_->random(8));
  EXPECT_TRUE(eventually([&] { return token_->health().readiness == Readiness::kStuck; }));
  files_.set_script("");
  EXPECT_TRUE(eventually([&] { return token_->health().readiness == Readiness::kReady; }));
}

TEST_F(FaultTest, ACodeOfReinitOnMeansALostTokenWhateverItMeansElsewhere) {
  files_.set_script("C_EncryptInit 1 0x81000071\n");
  EXPECT_EQ(encrypt().error().code(), ErrorCode::kKmsInternal);
  EXPECT_EQ(token_->health().times_opened, 0U);
  close();
  auto overrides = kFast;
  overrides.push_back("recovery.reinit_on=[\"0x81000071\"]");
  open(overrides);
  files_.set_script("C_GenerateRandom 1 0x81000071\n");
  EXPECT_EQ(token_->random(8).error().code(), ErrorCode::kKeyUnavailable);
  EXPECT_EQ(token_->health().times_opened, 1U);
  files_.set_script("");
  EXPECT_TRUE(healthy_within(std::chrono::seconds(20)));
}

}  // namespace
}  // namespace keyhold::token::test

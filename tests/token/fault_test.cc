// What Keyhold makes of a token that fails: SoftHSM behind the fault module.
#include <stdlib.h>
#include <unistd.h>

#include <fstream>
#include <thread>

#include "tests/support/places.h"
#include "token_fixture.h"

namespace keyhold::token::test {
namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

/// The fault module reads its environment once, so script and trace are the process's.
class FaultFiles {
 public:
  static FaultFiles& of_process() {
    static FaultFiles files;
    return files;
  }

  void set_script(std::string_view text) {
    std::ofstream(draft_, std::ios::trunc) << text;
    fs::rename(draft_, script_);
  }
  void forget_calls() { std::ofstream(trace_, std::ios::trunc).close(); }
  int calls(std::string_view function) const {
    std::ifstream file(trace_);
    std::string line;
    int count = 0;
    while (std::getline(file, line)) count += line.starts_with(std::string(function) + " ");
    return count;
  }

 private:
  FaultFiles() {
    ::setenv("KEYHOLD_FAULT_MODULE", kSoftHsm, 1);
    ::setenv("KEYHOLD_FAULT_SCRIPT", script_.c_str(), 1);
    ::setenv("KEYHOLD_FAULT_TRACE", trace_.c_str(), 1);
    set_script("");
    forget_calls();
  }

  const TemporaryFolder folder_;
  const fs::path script_ = folder_.path() / "script";
  const fs::path draft_ = folder_.path() / "script.draft";
  const fs::path trace_ = folder_.path() / "trace";
};

class FaultTest : public TokenTest {
 protected:
  void SetUp() override {
    files_.set_script("");
    TokenTest::SetUp();
    open(kFast);
    material_ = generate();
    auto key = token_->encryption_key(material_);
    ASSERT_TRUE(key) << why(key);
    key_ = *key;
    auto ciphertext = encrypt();
    ASSERT_TRUE(ciphertext) << why(ciphertext);
    ciphertext_ = *ciphertext;
    files_.forget_calls();
  }
  void TearDown() override {
    files_.set_script("");
    TokenTest::TearDown();
  }
  std::string module_path() const override { return keyhold::test::fault_module(); }

  Result<Bytes> encrypt() {
    return token_->encrypt(*key_, iv_, as_bytes("aad"), as_bytes("plaintext"));
  }
  Result<Secret> decrypt(ByteView ciphertext) {
    return token_->decrypt(*key_, iv_, as_bytes("aad"), ciphertext);
  }
  Bytes damaged() const {
    Bytes copy = ciphertext_;
    copy[0] ^= 1;
    return copy;
  }
  bool healthy_within(std::chrono::milliseconds patience) {
    const auto deadline = steady_clock::now() + patience;
    while (steady_clock::now() < deadline) {
      if (token_->check()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return false;
  }
  template <typename Condition>
  bool eventually(const Condition& holds) {
    const auto deadline = steady_clock::now() + std::chrono::seconds(20);
    while (steady_clock::now() < deadline) {
      if (holds()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    return false;
  }
  /// Another token of the same label in the same folder, made by another process.
  void make_second_token() {
    const std::string command =
        "SOFTHSM2_CONF=" + (folder_.path() / "softhsm2.conf").string() +
        " softhsm2-util --init-token --free --label keyhold --so-pin 5678 --pin 1234 >/dev/null";
    ASSERT_EQ(std::system(command.c_str()), 0);
  }
  void expect_whole() {
    EXPECT_TRUE(healthy_within(std::chrono::seconds(20)));
    const auto opened = decrypt(ciphertext_);
    ASSERT_TRUE(opened) << why(opened);
    EXPECT_EQ(opened->text(), "plaintext");
    EXPECT_TRUE(token_->check_material(material_));
    const auto key = token_->decryption_key(material_, key_->salt(), key_->header_tag());
    ASSERT_TRUE(key) << why(key);
    EXPECT_EQ(token_->decrypt(**key, iv_, as_bytes("aad"), ciphertext_)->text(), "plaintext");
  }

  const std::vector<std::string> kFast = {"recovery.backoff_first=5ms",
                                          "recovery.backoff_last=20ms"};
  FaultFiles& files_ = FaultFiles::of_process();
  Material material_;
  MessageKeyPtr key_;
  std::array<std::uint8_t, 12> iv_{1, 2, 3};
  Bytes ciphertext_;
};

// ------------------------------------------------------------------------------------------ PINs

TEST_F(FaultTest, TheTokenIsLoggedInToOnceInTheLifeOfTheProcess) {
  close();
  files_.forget_calls();
  open(kFast);
  for (int i = 0; i < 20; ++i) {
    EXPECT_TRUE(token_->check());
    EXPECT_TRUE(token_->encryption_key(material_));
  }
  EXPECT_EQ(files_.calls("C_Login"), 1);
}

TEST_F(FaultTest, AWrongPinIsTriedOnce) {
  close();
  files_.forget_calls();
  EXPECT_FALSE(Pkcs11Token::open(profile(kFast), Secret("wrong-pin-1"), clock_, random_));
  EXPECT_EQ(files_.calls("C_Login"), 1);
}

TEST_F(FaultTest, APinThatIsRefusedDuringRecoveryIsNotTriedAgain) {
  files_.set_script("C_EncryptInit 1 CKR_DEVICE_ERROR\nC_Login * CKR_PIN_INCORRECT\n");
  files_.forget_calls();
  EXPECT_EQ(encrypt().error().code(), ErrorCode::kKeyUnavailable);
  EXPECT_FALSE(healthy_within(std::chrono::milliseconds(500)));
  EXPECT_EQ(files_.calls("C_Login"), 1);
  files_.set_script("");
  EXPECT_FALSE(healthy_within(std::chrono::milliseconds(200)));
  EXPECT_EQ(files_.calls("C_Login"), 1);
}

// ------------------------------------------------------------------------------ what is the
// caller's

TEST_F(FaultTest, AForgedHeaderReachesNoDerivation) {
  files_.forget_calls();
  for (int i = 0; i < 10; ++i) {
    Bytes salt(15);
    random_.fill(salt);
    EXPECT_EQ(token_->decryption_key(material_, salt, key_->header_tag()).error().code(),
              ErrorCode::kInvalidCiphertext);
  }
  EXPECT_EQ(files_.calls("C_DeriveKey"), 0);
}

TEST_F(FaultTest, BadCiphertextsCostOneProofOfLifeASecond) {
  files_.forget_calls();
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(decrypt(damaged()).error().code(), ErrorCode::kInvalidCiphertext);
  }
  EXPECT_EQ(files_.calls("C_Sign"), 1);
  clock_.advance(milliseconds(999));
  EXPECT_FALSE(decrypt(damaged()));
  EXPECT_EQ(files_.calls("C_Sign"), 1);
  clock_.advance(milliseconds(1));
  EXPECT_FALSE(decrypt(damaged()));
  EXPECT_EQ(files_.calls("C_Sign"), 2);
  EXPECT_EQ(token_->usage().recoveries, 0U);
}

TEST_F(FaultTest, BadCiphertextsKeepTheSession) {
  files_.forget_calls();
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(decrypt(damaged()));
  EXPECT_EQ(files_.calls("C_OpenSession"), 0);
  EXPECT_EQ(files_.calls("C_CloseSession"), 0);
}

TEST_F(FaultTest, AFailedDecryptionIsTheTokensWhenItsProofOfLifeFails) {
  files_.set_script("C_Decrypt * CKR_GENERAL_ERROR\nC_Sign 1 CKR_FUNCTION_FAILED\n");
  EXPECT_EQ(decrypt(ciphertext_).error().code(), ErrorCode::kKeyUnavailable);
  files_.set_script("");
  expect_whole();
  EXPECT_EQ(token_->usage().recoveries, 1U);
}

// ------------------------------------------------------------------------- sessions, logins,
// handles

TEST_F(FaultTest, ACallThatItsSessionWasLostForIsMadeAgainOnAnother) {
  for (const char* function : {"C_EncryptInit", "C_DecryptInit", "C_GenerateRandom"}) {
    files_.set_script(std::string(function) + " 1 CKR_SESSION_HANDLE_INVALID\n");
    EXPECT_TRUE(encrypt()) << function;
    EXPECT_TRUE(decrypt(ciphertext_)) << function;
    EXPECT_TRUE(token_->random(8)) << function;
  }
  EXPECT_EQ(token_->usage().recoveries, 0U);
}

TEST_F(FaultTest, ADerivationThatItsSessionWasLostForIsMadeAgainOnAnother) {
  clock_.advance(std::chrono::hours(25));
  files_.set_script("C_DeriveKey 1 CKR_SESSION_CLOSED\n");
  EXPECT_TRUE(token_->encryption_key(material_));
  expect_whole();
}

TEST_F(FaultTest, AGenerationIsNeverMadeAgain) {
  files_.set_script("C_GenerateKey 1 CKR_SESSION_HANDLE_INVALID\n");
  files_.forget_calls();
  EXPECT_FALSE(token_->generate_material(draw_name(), "a key", {}));
  EXPECT_EQ(files_.calls("C_GenerateKey"), 1);
}

TEST_F(FaultTest, ADestructionIsNeverMadeAgain) {
  files_.set_script("C_DestroyObject 1 CKR_SESSION_HANDLE_INVALID\n");
  files_.forget_calls();
  EXPECT_FALSE(token_->destroy_material(material_.object_name));
  EXPECT_EQ(files_.calls("C_DestroyObject"), 1);
  EXPECT_TRUE(token_->check_material(material_));
}

TEST_F(FaultTest, ADestructionThatLeavesTheObjectIsNoSuccess) {
  files_.set_script("C_DestroyObject 1 CKR_OK\n");
  EXPECT_EQ(token_->destroy_material(material_.object_name).error().code(),
            ErrorCode::kKmsInternal);
}

TEST_F(FaultTest, ALogoutByAnotherPartOfTheProcessIsHealedWithoutInitialisingAgain) {
  const auto log_out = [this] {
    Intruder intruder(module_path());
    ASSERT_TRUE(intruder.session().logout());
    files_.forget_calls();
  };
  log_out();
  // A public message key needs no login; what the next one is derived from does.
  const auto opened = decrypt(ciphertext_);
  ASSERT_TRUE(opened) << why(opened);
  EXPECT_EQ(opened->text(), "plaintext");
  clock_.advance(std::chrono::hours(25));
  EXPECT_TRUE(token_->encryption_key(material_));
  EXPECT_TRUE(encrypt());
  EXPECT_EQ(files_.calls("C_Login"), 1);
  EXPECT_EQ(files_.calls("C_Initialize"), 0);

  log_out();
  const auto checked = token_->check();
  EXPECT_TRUE(checked) << why(checked);
  EXPECT_EQ(files_.calls("C_Login"), 1);
  EXPECT_EQ(files_.calls("C_Initialize"), 0);
  expect_whole();
}

TEST_F(FaultTest, ATokenWhoseLoginIsLostSeemsToHaveLostNothing) {
  const auto log_out = [this] {
    Intruder intruder(module_path());
    ASSERT_TRUE(intruder.session().logout());
  };
  const std::size_t before = token_->list_objects()->size();
  ASSERT_GT(before, 0U);
  log_out();
  const auto listed = token_->list_objects();
  ASSERT_TRUE(listed) << why(listed);
  EXPECT_EQ(listed->size(), before);

  log_out();
  const Material another = generate("another");
  log_out();
  EXPECT_TRUE(token_->destroy_material(another.object_name));
  EXPECT_EQ(token_->list_objects()->size(), before);
  EXPECT_EQ(token_->usage().recoveries, 0U);
}

TEST_F(FaultTest, AHandleThatWentStaleIsLookedUpAgain) {
  clock_.advance(std::chrono::hours(25));
  files_.set_script("C_DeriveKey 1 CKR_OBJECT_HANDLE_INVALID\n");
  EXPECT_TRUE(token_->encryption_key(material_));
  files_.set_script("C_EncryptInit 1 CKR_KEY_HANDLE_INVALID\n");
  EXPECT_TRUE(encrypt());
  EXPECT_EQ(token_->usage().recoveries, 0U);
}

// -------------------------------------------------------------------------------------- recovery

TEST_F(FaultTest, AFaultOfTheDeviceIsRecoveredFromWhileCallsAreRefused) {
  files_.set_script("C_EncryptInit 1 CKR_DEVICE_ERROR\n");
  EXPECT_EQ(encrypt().error().code(), ErrorCode::kKeyUnavailable);
  files_.set_script("");
  expect_whole();
  EXPECT_EQ(token_->usage().recoveries, 1U);
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
  const int attempts = files_.calls("C_Initialize");
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

// ------------------------------------------------------------------------- successes that are none

TEST_F(FaultTest, TheFirstCiphertextOfAKeyIsNotAnsweredUnlessItDecrypts) {
  clock_.advance(std::chrono::hours(25));
  auto key = token_->encryption_key(material_);
  ASSERT_TRUE(key);
  key_ = *key;
  files_.set_script("C_Decrypt 1 CKR_ENCRYPTED_DATA_INVALID\n");
  EXPECT_EQ(encrypt().error().code(), ErrorCode::kKmsInternal);
  files_.set_script("");
  EXPECT_TRUE(encrypt());
}

TEST_F(FaultTest, AGenerationThatSaysItFailedIsAdoptedWhenTheKeyIsWhole) {
  files_.set_script("C_GenerateKey 1 after:CKR_FUNCTION_FAILED\n");
  const ObjectName name = draw_name();
  EXPECT_EQ(token_->generate_material(name, "a key", {}).error().code(), ErrorCode::kKmsInternal);
  files_.set_script("");
  const auto adopted = token_->adopt_material(name, {});
  ASSERT_TRUE(adopted) << why(adopted);
  EXPECT_TRUE(adopted->has_value());
}

TEST_F(FaultTest, AGenerationThatFailsInAHealthyTokenCausesNoRecovery) {
  files_.set_script("C_GenerateKey 1 CKR_GENERAL_ERROR\n");
  EXPECT_EQ(token_->generate_material(draw_name(), "a key", {}).error().code(),
            ErrorCode::kKmsInternal);
  EXPECT_TRUE(token_->check());
  EXPECT_EQ(token_->usage().recoveries, 0U);
}

TEST_F(FaultTest, ATokenThatSeemsWellAndGoesOnFailingIsInitialisedAgainOnce) {
  close();
  open({"recovery.backoff_first=5ms", "recovery.backoff_last=30s"});
  auto key = token_->encryption_key(material_);
  ASSERT_TRUE(key) << why(key);
  key_ = *key;
  clock_.advance(std::chrono::hours(25));
  files_.set_script("C_DeriveKey * CKR_GENERAL_ERROR\n");
  const auto derive = [&] { return token_->encryption_key(material_); };
  EXPECT_EQ(derive().error().code(), ErrorCode::kKmsInternal);
  EXPECT_EQ(derive().error().code(), ErrorCode::kKmsInternal);
  EXPECT_EQ(derive().error().code(), ErrorCode::kKeyUnavailable);
  EXPECT_TRUE(healthy_within(std::chrono::seconds(20)));
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(derive());
  EXPECT_TRUE(token_->check());
  EXPECT_EQ(token_->usage().recoveries, 1U);
  files_.set_script("");
  EXPECT_TRUE(derive());
}

TEST_F(FaultTest, ATokenThatCameBackAndEncryptsNothingIsNotBack) {
  files_.set_script(
      "C_DecryptInit 1 CKR_DEVICE_ERROR\nC_DecryptInit * pass\nC_EncryptInit * "
      "CKR_GENERAL_ERROR\n");
  EXPECT_EQ(decrypt(ciphertext_).error().code(), ErrorCode::kKeyUnavailable);
  ASSERT_TRUE(eventually([&] { return token_->health().failed_trials >= 2; }));
  EXPECT_NE(token_->health().breaker, BreakerState::kClosed);
  files_.set_script("");
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

TEST_F(FaultTest, ATokenThatLetsAKeyBeWrappedOrCopiedSofterIsNotAdmitted) {
  close();
  const auto refusal = [&](const char* script) {
    files_.set_script(script);
    const auto opened = Pkcs11Token::open(profile(kFast), Secret(kPin), clock_, random_);
    files_.set_script("");
    return opened ? std::string("admitted") : opened.error().detail();
  };
  EXPECT_NE(refusal("C_WrapKey 1 CKR_OK\n").find("wrap a key that is not extractable"),
            std::string::npos);
  EXPECT_NE(refusal("C_WrapKey 4 CKR_OK\n").find("under a key of known value"), std::string::npos);
  EXPECT_NE(refusal("C_CopyObject 1 CKR_OK\n").find("copy a key"), std::string::npos);
  EXPECT_NE(refusal("C_GenerateRandom * CKR_FUNCTION_FAILED\n").find("random bytes"),
            std::string::npos);
  EXPECT_EQ(refusal("C_SetAttributeValue * CKR_OK\n"), "admitted");  // said so, and changed nothing
}

// --------------------------------------------------------------------------- every call, every way

class EveryCallTest : public FaultTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(EveryCallTest, WhicheverCallFailsTheAnswersAreTrueAndNothingIsLost) {
  for (int n = 1; n < 400; ++n) {
    clock_.advance(std::chrono::hours(25));  // so that keys are derived in each round
    files_.set_script("* " + std::to_string(n) + " " + GetParam() + "\n");
    const ObjectName name = draw_name();
    const auto key = token_->encryption_key(material_);
    if (key) {
      const auto ciphertext = token_->encrypt(**key, iv_, as_bytes("aad"), as_bytes("more"));
      if (ciphertext) {
        const auto again = token_->decrypt(**key, iv_, as_bytes("aad"), *ciphertext);
        if (again) {
          EXPECT_EQ(again->text(), "more");
        }
      }
    }
    const auto made = token_->generate_material(name, "a key", {});
    const bool undisturbed = files_.calls("C_GenerateKey") != 0 && key && made;
    files_.set_script("");
    ASSERT_NO_FATAL_FAILURE(expect_whole()) << n;

    const auto adopted = token_->adopt_material(name, {});
    ASSERT_TRUE(adopted) << why(adopted);
    if (made) {
      ASSERT_TRUE(adopted->has_value()) << n;
      EXPECT_EQ((*adopted)->check_value, made->check_value);
    }
    EXPECT_TRUE(token_->destroy_material(name));
    files_.forget_calls();
    if (undisturbed && n > 60) return;
  }
}

INSTANTIATE_TEST_SUITE_P(Codes, EveryCallTest,
                         ::testing::Values("CKR_DEVICE_ERROR", "CKR_GENERAL_ERROR",
                                           "CKR_SESSION_HANDLE_INVALID", "CKR_USER_NOT_LOGGED_IN",
                                           "CKR_OBJECT_HANDLE_INVALID", "CKR_FUNCTION_FAILED",
                                           "after:CKR_DEVICE_ERROR", "after:CKR_HOST_MEMORY"));

}  // namespace
}  // namespace keyhold::token::test

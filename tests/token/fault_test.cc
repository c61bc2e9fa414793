// What Keyhold makes of calls that fail in a token that is there.
#include <fstream>
#include <thread>

#include "fault_fixture.h"

namespace keyhold::token::test {
namespace {

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

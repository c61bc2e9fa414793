// What tokens are seen to do and to refuse, on SoftHSM and on NSS, which hands out keys that it
// says cannot leave.
#include "token/admission.h"

#include <cstdlib>
#include <fstream>
#include <map>

#include "token_fixture.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#endif

namespace keyhold::token::test {
namespace {

class AdmissionTest : public TokenTest {
 protected:
  std::map<std::string, Outcome> forbidden() const {
    std::map<std::string, Outcome> acts;
    for (const AdmissionAct& act : token_->admission().forbidden) acts[act.act] = act.outcome;
    return acts;
  }

  Result<std::unique_ptr<Pkcs11Token>> try_open(std::vector<std::string> overrides) {
    return Pkcs11Token::open(profile(std::move(overrides)), Secret(kPin), clock_, random_);
  }
};

TEST_F(AdmissionTest, SoftHsmRefusesAllButDerivingAnExtractableChild) {
  open();
  const std::map<std::string, Outcome> expected = {
      {"read the value of a sensitive key", Outcome::kRefused},
      {"wrap a key that is not extractable", Outcome::kRefused},
      {"wrap such a key under a key of known value", Outcome::kRefused},
      {"make a key extractable or not sensitive", Outcome::kRefused},
      {"copy a key into an extractable or readable one", Outcome::kRefused},
      {"derive an extractable key from a key material", Outcome::kSucceeded}};
  EXPECT_EQ(forbidden(), expected);
  EXPECT_FALSE(token_->admission().needed.empty());
}

TEST_F(AdmissionTest, WithoutDerivationNoneIsTried) {
  open({"keys.derivation=none"});
  EXPECT_FALSE(forbidden().contains("derive an extractable key from a key material"));
  for (const auto& [act, outcome] : forbidden()) EXPECT_EQ(outcome, Outcome::kRefused) << act;
}

TEST_F(AdmissionTest, ThrowawayKeysAreGoneAfterwards) {
  open();
  EXPECT_TRUE(token_->list_objects()->empty());
  pkcs11::Attributes session_keys;
  session_keys.no(CKA_TOKEN);
  EXPECT_EQ(Intruder().find(session_keys).size(), 1U);  // the health key
}

TEST_F(AdmissionTest, ATokenWhoseAnswerToBadCiphertextsIsNotInTheProfileIsRefused) {
  const auto opened = try_open({"keys.decrypt_bad_codes=[\"CKR_ENCRYPTED_DATA_INVALID\"]"});
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().detail().find("decrypt_bad_codes"), std::string::npos) << why(opened);
  EXPECT_NE(opened.error().detail().find("CKR_GENERAL_ERROR"), std::string::npos) << why(opened);
}

/// SoftHSM without some mechanisms.
class LessAbleTest : public AdmissionTest {
 protected:
  void take_away(std::string_view mechanisms) {
    std::ofstream(folder_.path() / "softhsm2.conf", std::ios::app)
        << "slots.mechanisms = -," << mechanisms << "\n";
  }
};

TEST_F(LessAbleTest, ATokenWithoutGcmIsRefusedByName) {
  take_away("CKM_AES_GCM");
  const auto opened = try_open({});
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().detail().find("CKM_AES_ECB_ENCRYPT_DATA"), std::string::npos)
      << why(opened);
}

TEST_F(LessAbleTest, ATokenWithoutDerivationIsAdmittedOnlyUnderAProfileThatSaysSo) {
  take_away("CKM_AES_ECB_ENCRYPT_DATA");
  EXPECT_FALSE(try_open({}));
  const auto direct = try_open({"keys.derivation=none"});
  EXPECT_TRUE(direct) << why(direct);
}

TEST_F(LessAbleTest, ATokenWithoutWrapMechanismsDoesNotShowThatItRefusesToWrap) {
  take_away("CKM_AES_KEY_WRAP,CKM_AES_KEY_WRAP_PAD,CKM_AES_ECB");
  open();
  EXPECT_EQ(forbidden()["wrap a key that is not extractable"], Outcome::kNotShown);
}

/// NSS leaves memory behind that nothing points to once it is unloaded.
struct NssMayLeak {
#ifdef __SANITIZE_ADDRESS__
  __lsan::ScopedDisabler disabler;
#endif
};

TEST(NssAdmissionTest, ATokenThatWrapsKeysWhichAreNotExtractableIsRefusedByTheAct) {
  [[maybe_unused]] const NssMayLeak may_leak;
  const TemporaryFolder folder;
  const std::string path = folder.path().string();
  std::ofstream(folder.path() / "pin") << "nsspin12\n";
  const std::string command =
      "certutil -N -d sql:" + path + " -f " + path + "/pin > /dev/null 2>&1";
  ASSERT_EQ(std::system(command.c_str()), 0);
  const auto profile = parse_profile(
      "[module]\n"
      "path = \"/usr/lib/x86_64-linux-gnu/libsoftokn3.so\"\n"
      "init_reserved = \"configdir='sql:" +
      path +
      "' certPrefix='' keyPrefix='' secmod='secmod.db' flags=\"\n"
      "[token]\n"
      "label = \"NSS Certificate DB\"\n"
      "[keys]\n"
      "derivation = \"none\"\n"
      "template_drop = [\"CKA_ALLOWED_MECHANISMS\", \"CKA_COPYABLE\"]\n"
      "decrypt_bad_codes = [\"CKR_ENCRYPTED_DATA_INVALID\", \"CKR_DATA_LEN_RANGE\"]\n");
  ASSERT_TRUE(profile) << why(profile);
  SystemRandom random;
  const SystemClock clock;
  const auto opened = Pkcs11Token::open(*profile, Secret("nsspin12"), clock, random);
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code(), ErrorCode::kKmsInternal);
  EXPECT_NE(opened.error().detail().find("wrap a key that is not extractable"), std::string::npos)
      << why(opened);
}

}  // namespace
}  // namespace keyhold::token::test

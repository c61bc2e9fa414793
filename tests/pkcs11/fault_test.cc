#include <sys/wait.h>

#include <atomic>
#include <chrono>
#include <sstream>
#include <thread>

#include "pkcs11/crypto.h"
#include "test_token.h"
#include "tests/support/places.h"

namespace keyhold::pkcs11 {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::HasSubstr;
using ::testing::Not;

class FaultModule : public ::testing::Test {
 protected:
  Result<ObjectHandle> generate(Session& session, std::string_view id) {
    return generate_key(session, Mechanism::plain(CKM_AES_KEY_GEN), aes_token_key_attributes(id));
  }
  std::size_t count(Session& session, std::string_view id) {
    return must(find_objects(session, Attributes().bytes(CKA_ID, view(id)))).size();
  }
  CK_RV draw(Session& session) {
    Bytes out(8);
    return rv_of(random(session, out));
  }

  Faults faults_;
  std::unique_ptr<TestToken> token_ = TestToken::make(TokenKind::kSoftHsmBehindFaults);
};

TEST_F(FaultModule, WithoutAScriptItIsTheModuleBehindIt) {
  EXPECT_EQ(must(token_->module().info()).manufacturer, "SoftHSM");
  Session session = token_->session();
  must(generate(session, "a"));
  EXPECT_EQ(count(session, "a"), 1U);
}

TEST_F(FaultModule, AnAnswerInsteadOfACallHasNoEffectInTheToken) {
  Session session = token_->session();
  faults_.script("C_GenerateKey 1 CKR_DEVICE_MEMORY");
  EXPECT_EQ(rv_of(generate(session, "a")), CKR_DEVICE_MEMORY);
  EXPECT_EQ(count(session, "a"), 0U);
}

TEST_F(FaultModule, AnAnswerAfterACallHasItsEffectInTheToken) {
  Session session = token_->session();
  faults_.script("C_GenerateKey 1 after:CKR_DEVICE_ERROR");
  EXPECT_EQ(rv_of(generate(session, "a")), CKR_DEVICE_ERROR);
  Session other = token_->session();
  EXPECT_EQ(count(other, "a"), 1U);
}

TEST_F(FaultModule, TheNthCallTheLaterOnesAndAllOfThemAreHit) {
  const auto answers = [&](const std::string& script) {
    faults_.script(script);
    std::vector<bool> hit;
    for (int i = 0; i < 4; ++i) {
      Session session = token_->session();
      hit.push_back(draw(session) == CKR_RANDOM_NO_RNG);
    }
    return hit;
  };
  using Hits = std::vector<bool>;
  EXPECT_EQ(answers("C_GenerateRandom 3 CKR_RANDOM_NO_RNG"), (Hits{false, false, true, false}));
  EXPECT_EQ(answers("C_GenerateRandom 3+ CKR_RANDOM_NO_RNG"), (Hits{false, false, true, true}));
  EXPECT_EQ(answers("C_GenerateRandom * 0x121"), (Hits{true, true, true, true}));
  EXPECT_EQ(answers("C_GenerateRandom 1 pass\nC_GenerateRandom * 0x121"),
            (Hits{false, true, true, true}));
}

TEST_F(FaultModule, TheStarHitsAnyFunction) {
  Session session = token_->session();
  faults_.script("* 2 CKR_RANDOM_NO_RNG");
  EXPECT_TRUE(session.info());
  EXPECT_EQ(draw(session), CKR_RANDOM_NO_RNG);
  EXPECT_EQ(draw(session), CKR_OK);
}

TEST_F(FaultModule, ADelayIsWaitedAndTheCallMade) {
  Session session = token_->session();
  faults_.script("C_GenerateRandom 1 delay:80");
  const auto start = steady_clock::now();
  EXPECT_EQ(draw(session), CKR_OK);
  EXPECT_GE(steady_clock::now() - start, milliseconds(80));
}

TEST_F(FaultModule, AScriptThatChangesIsReadAgainAndCountsFromTheStart) {
  Session session = token_->session();
  faults_.script("C_GenerateRandom 2 CKR_RANDOM_NO_RNG");
  EXPECT_EQ(draw(session), CKR_OK);
  faults_.script("C_GenerateRandom 2 CKR_RANDOM_NO_RNG\n");
  EXPECT_EQ(draw(session), CKR_OK);
  EXPECT_EQ(draw(session), CKR_RANDOM_NO_RNG);
  faults_.script("C_GenerateRandom * CKR_RANDOM_NO_RNG");
  EXPECT_EQ(draw(session), CKR_RANDOM_NO_RNG);
  faults_.no_script();
  EXPECT_EQ(draw(session), CKR_OK);
}

TEST_F(FaultModule, AScriptWithAMistakeRefusesEveryCallRatherThanInjectNothing) {
  Session session = token_->session();
  ::testing::internal::CaptureStderr();
  faults_.script("C_GenerateRandon 1 CKR_CANCEL");
  EXPECT_EQ(draw(session), CKR_FUNCTION_REJECTED);
  EXPECT_EQ(rv_of(token_->module().info()), CKR_FUNCTION_REJECTED);
  const std::string said = ::testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, HasSubstr("line 1: no function 'C_GenerateRandon'"));
  faults_.script("");
  EXPECT_TRUE(token_->module().info());
}

TEST_F(FaultModule, TheTraceHasEveryCallItsAnswerAndNoData) {
  faults_.clear_trace();
  faults_.script("C_GenerateRandom 1 CKR_RANDOM_NO_RNG\nC_GenerateRandom 2 after:CKR_CANCEL");
  {
    Session session = token_->session();
    draw(session);
    draw(session);
  }
  EXPECT_EQ(faults_.trace(),
            "C_OpenSession 0x00000000 CKR_OK\n"
            "C_Login 0x00000000 CKR_OK\n"
            "C_GenerateRandom 0x00000121 CKR_RANDOM_NO_RNG instead\n"
            "C_GenerateRandom 0x00000001 CKR_CANCEL after\n"
            "C_CloseSession 0x00000000 CKR_OK\n");
  EXPECT_THAT(faults_.trace(), Not(HasSubstr(std::string(kUserPin))));
}

TEST_F(FaultModule, ThreadsShareOneCount) {
  faults_.script("C_GenerateRandom 100 CKR_RANDOM_NO_RNG");
  faults_.clear_trace();
  std::atomic<int> hits{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      Session session = must(Session::open(token_->module(), token_->slot(), Access::kReadOnly));
      for (int i = 0; i < 50; ++i) {
        if (draw(session) == CKR_RANDOM_NO_RNG) ++hits;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(hits, 1);
  EXPECT_EQ(faults_.calls("C_GenerateRandom"), 200U);
  std::istringstream lines(faults_.trace());
  for (std::string line; std::getline(lines, line);) {
    EXPECT_TRUE(line.starts_with("C_")) << line;
    EXPECT_THAT(line, HasSubstr(" CKR_")) << line;
  }
}

// The process that dies is a child that starts the test anew; what it left behind is looked at by
// a module of this process, at the child's token.
class FaultModuleDeathTest : public ::testing::Test {
 protected:
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }

  // In the child: a token in `folder`, a script, and a generation that does not come back.
  static void die(const std::filesystem::path& folder, const char* action) {
    const Faults faults;
    configure_softhsm(folder);
    auto token = must(Module::load({.path = keyhold::test::fault_module()}));
    const SlotId slot = must(provision_token(*token, must(find_uninitialized_slot(*token)), "dying",
                                             SecretBytes(kSoPin), SecretBytes(kUserPin)))
                            .slot;
    Session session = must(Session::open(*token, slot, Access::kReadWrite));
    must(session.login(CKU_USER, SecretBytes(kUserPin)));
    faults.script(std::string("C_GenerateKey 1 ") + action);
    (void)generate_key(session, Mechanism::plain(CKM_AES_KEY_GEN),
                       aes_token_key_attributes("made"));
    std::_Exit(1);
  }

  static std::size_t keys_in(const std::filesystem::path& folder) {
    ::setenv("SOFTHSM2_CONF", (folder / "conf").c_str(), 1);
    auto module = must(Module::load({.path = keyhold::test::kSoftHsm}));
    std::size_t count = 0;
    {
      const SlotId slot = must(find_token(*module, {.label = "dying"})).slot;
      Session session = must(Session::open(*module, slot, Access::kReadOnly));
      must(session.login(CKU_USER, SecretBytes(kUserPin)));
      count = must(find_objects(session, Attributes().bytes(CKA_ID, view("made")))).size();
    }
    must(module->finalize());
    return count;
  }

  // The same in parent and child, which starts the test from its beginning.
  static std::filesystem::path shared_folder(const char* variable) {
    const char* known = std::getenv(variable);
    if (known != nullptr) return known;
    const std::filesystem::path folder = make_test_folder();
    ::setenv(variable, folder.c_str(), 1);
    return folder;
  }
};

TEST_F(FaultModuleDeathTest, ExitBeforeEndsTheProcessWithoutTheCall) {
  const auto folder = shared_folder("KEYHOLD_TEST_EXIT_BEFORE");
  EXPECT_EXIT(die(folder, "exit-before"), ::testing::ExitedWithCode(137), "");
  EXPECT_EQ(keys_in(folder), 0U);
}

TEST_F(FaultModuleDeathTest, ExitAfterEndsTheProcessWithTheCallMade) {
  const auto folder = shared_folder("KEYHOLD_TEST_EXIT_AFTER");
  EXPECT_EXIT(die(folder, "exit-after"), ::testing::ExitedWithCode(137), "");
  EXPECT_EQ(keys_in(folder), 1U);
}

TEST(FaultModuleAlone, WithoutAModuleBehindItItIsALoadError) {
  const char* before = std::getenv("KEYHOLD_FAULT_MODULE");
  if (before != nullptr) GTEST_SKIP() << "this process has loaded it already";
  ::testing::internal::CaptureStderr();
  const auto loaded = Module::load({.path = keyhold::test::fault_module()});
  EXPECT_EQ(rv_of(loaded), CKR_LIBRARY_LOAD_FAILED);
  EXPECT_THAT(::testing::internal::GetCapturedStderr(), HasSubstr("KEYHOLD_FAULT_MODULE"));
}

}  // namespace
}  // namespace keyhold::pkcs11

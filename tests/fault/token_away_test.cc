// A token that goes away and comes back, under a running service.
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "pkcs11/cryptoki.h"
#include "tests/kms/fixture.h"
#include "tests/support/fault_files.h"
#include "tests/support/places.h"

namespace keyhold::kms {
namespace {

using namespace testing;
using keyhold::test::FaultFiles;
using namespace std::chrono_literals;
using std::chrono::steady_clock;

/// SoftHSM itself, as loaded in this process, reached past everything in front of it.
class BareSoftHsm {
 public:
  BareSoftHsm() {
    library_ = ::dlopen(kSoftHsm, RTLD_NOW | RTLD_NOLOAD);
    if (library_ == nullptr) throw std::runtime_error("SoftHSM is not loaded");
    const auto get_functions =
        reinterpret_cast<CK_C_GetFunctionList>(::dlsym(library_, "C_GetFunctionList"));
    if (get_functions(&functions_) != CKR_OK) throw std::runtime_error("no function list");
    CK_ULONG count = 1;
    // The token that was initialised comes first.
    std::vector<CK_SLOT_ID> slots(8);
    count = slots.size();
    if (functions_->C_GetSlotList(CK_TRUE, slots.data(), &count) != CKR_OK || count == 0) {
      throw std::runtime_error("no slots");
    }
    slot_ = slots[0];
  }
  ~BareSoftHsm() { ::dlclose(library_); }
  BareSoftHsm(const BareSoftHsm&) = delete;
  BareSoftHsm& operator=(const BareSoftHsm&) = delete;

  void close_all_sessions() { ASSERT_EQ(functions_->C_CloseAllSessions(slot_), CKR_OK); }
  void log_out() {
    CK_SESSION_HANDLE session = 0;
    ASSERT_EQ(functions_->C_OpenSession(slot_, CKF_SERIAL_SESSION | CKF_RW_SESSION, nullptr,
                                        nullptr, &session),
              CKR_OK);
    ASSERT_EQ(functions_->C_Logout(session), CKR_OK);
    ASSERT_EQ(functions_->C_CloseSession(session), CKR_OK);
  }

 private:
  void* library_ = nullptr;
  CK_FUNCTION_LIST* functions_ = nullptr;
  CK_SLOT_ID slot_ = 0;
};

class TokenAway : public ::testing::Test {
 protected:
  void SetUp() override {
    files_.no_faults();
    world_.module = keyhold::test::fault_module();
    world_.profile_overrides = {"recovery.backoff_first=5ms", "recovery.backoff_last=20ms"};
    ASSERT_NO_FATAL_FAILURE(world_.open());
    key_ = world_.create_key();
    blob_ = world_.encrypt(key_, "text");
  }
  void TearDown() override { files_.no_faults(); }
  Service& service() { return world_.service(); }

  bool works() {
    const auto encrypted = service().encrypt(*world_.newest(key_), as_bytes("x"), {});
    const auto decrypted = world_.decrypt(blob_);
    return encrypted && decrypted && decrypted->plaintext.text() == "text";
  }
  void expect_back_within(milliseconds patience) {
    const auto deadline = steady_clock::now() + patience;
    while (!works()) {
      ASSERT_LT(steady_clock::now(), deadline) << "the service does not recover";
      std::this_thread::sleep_for(2ms);
    }
    EXPECT_EQ(world_.expect_whole(), 0U);
  }
  /// Answers an error of the service's own, in a time that no caller minds.
  template <typename Call>
  void expect_fast_refusal(const Call& call) {
    const auto begun = steady_clock::now();
    const auto refused = call();
    EXPECT_LT(steady_clock::now() - begun, 5s);
    const auto code = code_of(refused);
    EXPECT_TRUE(code == ErrorCode::kKeyUnavailable || code == ErrorCode::kKmsInternal)
        << why(refused);
  }

  FaultFiles& files_ = FaultFiles::of_process();
  World world_;
  KeyPtr key_;
  Bytes blob_;
};

TEST_F(TokenAway, IsRefusedFastAndCorrectlyAndRecoveredFromWithoutARestart) {
  for (const std::string code :
       {"CKR_DEVICE_ERROR", "CKR_DEVICE_REMOVED", "CKR_TOKEN_NOT_PRESENT", "CKR_GENERAL_ERROR"}) {
    SCOPED_TRACE(code);
    files_.set_script("* * " + code + "\n");
    for (int i = 0; i < 5; ++i) {
      expect_fast_refusal([&] { return service().encrypt(*key_, as_bytes("x"), {}); });
      expect_fast_refusal([&] { return service().create_key(world_.scope, {}); });
      expect_fast_refusal([&] { return service().rotate_on_demand(*key_); });
      expect_fast_refusal([&] { return service().random(16); });
      // Never the caller's fault, for all that SoftHSM calls a bad ciphertext a general error.
      expect_fast_refusal([&] { return world_.decrypt(blob_); });
    }
    // What needs no token goes on.
    EXPECT_TRUE(service().find_key(world_.scope, key_->id(), KeyLookup::kIdOrArn));
    EXPECT_TRUE(service().update_description(*key_, code));
    EXPECT_EQ(world_.newest(key_)->materials().size(), 1U);
    files_.no_faults();
    expect_back_within(60s);
    EXPECT_EQ(service().list_keys(world_.scope, {})->elements.size(), 1U);
  }
}

TEST_F(TokenAway, AnswersKeyUnavailableOnceItIsKnownToBeAway) {
  files_.set_script("* * CKR_DEVICE_ERROR\n");
  static_cast<void>(service().encrypt(*key_, as_bytes("x"), {}));
  EXPECT_EQ(code_of(service().encrypt(*key_, as_bytes("x"), {})), ErrorCode::kKeyUnavailable);
  EXPECT_EQ(code_of(world_.decrypt(blob_)), ErrorCode::kKeyUnavailable);
  EXPECT_EQ(code_of(service().create_key(world_.scope, {})), ErrorCode::kKeyUnavailable);
  EXPECT_EQ(code_of(service().rotate_on_demand(*key_)), ErrorCode::kKeyUnavailable);
  files_.no_faults();
  expect_back_within(60s);
}

TEST_F(TokenAway, WithItsSessionsDeadIsUsedAgainWithoutARestart) {
  BareSoftHsm bare;
  for (int i = 0; i < 3; ++i) {
    bare.close_all_sessions();
    expect_back_within(60s);
    EXPECT_TRUE(service().rotate_on_demand(*key_));
  }
  EXPECT_EQ(world_.token().health().times_opened, 0U);
}

TEST_F(TokenAway, WithItsLoginLostIsUsedAgainWithoutARestart) {
  BareSoftHsm bare;
  for (int i = 0; i < 3; ++i) {
    bare.log_out();
    expect_back_within(60s);
    EXPECT_TRUE(service().rotate_on_demand(*key_));
  }
  EXPECT_EQ(world_.token().health().times_opened, 0U);
}

TEST_F(TokenAway, WithSessionsThatStayLostIsBroughtBack) {
  std::uint64_t recoveries = 0;
  for (const std::string code : {"CKR_SESSION_HANDLE_INVALID", "CKR_SESSION_CLOSED",
                                 "CKR_OPERATION_ACTIVE", "CKR_USER_NOT_LOGGED_IN"}) {
    SCOPED_TRACE(code);
    files_.set_script("C_EncryptInit * " + code + "\nC_DecryptInit * " + code + "\n");
    const auto deadline = steady_clock::now() + 60s;
    while (world_.token().health().times_opened == recoveries) {
      ASSERT_LT(steady_clock::now(), deadline) << "nobody sees to it";
      EXPECT_EQ(code_of(service().encrypt(*key_, as_bytes("x"), {})), ErrorCode::kKeyUnavailable);
      EXPECT_EQ(code_of(world_.decrypt(blob_)), ErrorCode::kKeyUnavailable);
    }
    files_.no_faults();
    expect_back_within(60s);
    EXPECT_EQ(world_.token().health().recoveries, ++recoveries);
  }
}

TEST_F(TokenAway, WithAllSessionsOfManyThreadsLostIsNotInitialisedAgain) {
  BareSoftHsm bare;
  const auto all_work = [&] {
    std::atomic<int> served{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 6; ++i) {
      threads.emplace_back([&] {
        const auto deadline = steady_clock::now() + 60s;
        for (int mine = 0; mine < 10 && steady_clock::now() < deadline;) {
          if (!works()) continue;
          ++mine;
          ++served;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    return served == 60;
  };
  EXPECT_TRUE(all_work());
  // SoftHSM itself does not stand it while calls run on them.
  bare.close_all_sessions();
  EXPECT_TRUE(all_work());
  EXPECT_EQ(world_.token().health().times_opened, 0U) << world_.token().health().last_error;
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(TokenAway, RotatesLaterWhatWasDueMeanwhile) {
  ASSERT_TRUE(service().enable_rotation(*key_, 90));
  files_.set_script("* * CKR_DEVICE_ERROR\n");
  world_.clock.advance(90 * kDay);
  service().run_due_work();
  EXPECT_EQ(world_.newest(key_)->materials().size(), 1U);
  files_.no_faults();
  expect_back_within(60s);
  service().run_due_work();
  EXPECT_EQ(world_.newest(key_)->materials().size(), 2U);
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(TokenAway, DestroysLaterWhatWasDueMeanwhile) {
  ASSERT_TRUE(service().schedule_deletion(*key_, 7));
  files_.set_script("* * CKR_DEVICE_ERROR\n");
  world_.clock.advance(7 * kDay);
  service().run_due_work();
  EXPECT_TRUE(world_.events.deletions().empty());
  files_.no_faults();
  const auto deadline = steady_clock::now() + 60s;
  while (!world_.token().check() && steady_clock::now() < deadline) {
    std::this_thread::sleep_for(2ms);
  }
  service().run_due_work();
  EXPECT_TRUE(world_.object_names().empty());
  EXPECT_EQ(world_.events.deletions().size(), 1U);
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(TokenAway, TriesAWrongPinOnce) {
  world_.close();
  files_.forget_calls();
  world_.pin = "not-the-pin";
  const auto opened = world_.try_open();
  EXPECT_FALSE(opened);
  EXPECT_EQ(files_.calls("C_Login"), 1U);
  world_.close();
  world_.pin = std::string(kPin);
  world_.open();
  expect_back_within(60s);
}

TEST_F(TokenAway, SlowBeforeAnythingIsWrittenTimesOutAndChangesNothing) {
  world_.options.material_deadline = 100ms;
  world_.restart();
  files_.set_script("* * delay:300\n");
  EXPECT_EQ(code_of(service().rotate_on_demand(*key_)), ErrorCode::kDependencyTimeout);
  files_.set_script("* * delay:300\n");
  EXPECT_EQ(code_of(service().create_key(world_.scope, {})), ErrorCode::kDependencyTimeout);
  files_.no_faults();
  world_.restart();
  EXPECT_EQ(world_.newest(key_)->materials().size(), 1U);
  EXPECT_EQ(service().list_keys(world_.scope, {})->elements.size(), 1U);
  EXPECT_EQ(world_.expect_whole(), 0U);
}

TEST_F(TokenAway, SlowToGenerateIsNotWaitedForAndRotatesAllTheSame) {
  world_.options.material_deadline = 200ms;
  world_.restart();
  files_.set_script("C_GenerateKey 1 delay:3000\n");
  // On a busy machine the deadline may pass before anything is written.
  auto answered = service().rotate_on_demand(*key_);
  for (int i = 0; i < 100 && !answered; ++i) answered = service().rotate_on_demand(*key_);
  EXPECT_TRUE(answered) << why(answered);
  EXPECT_TRUE(
      rotation_status(*world_.newest(key_), RotationRules::k2024).value().on_demand_started_at);
  // It ends with its announcement, which the caller does not wait for either.
  const auto ended = [&] {
    const KeyPtr newest = world_.newest(key_);
    return !newest->running_intent() && newest->current_material().record.announced;
  };
  for (int i = 0; i < 6000 && !ended(); ++i) std::this_thread::sleep_for(10ms);
  EXPECT_EQ(world_.newest(key_)->materials().size(), 2U);
  EXPECT_EQ(world_.expect_whole(), 0U);
}

}  // namespace
}  // namespace keyhold::kms

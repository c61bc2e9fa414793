#include "pkcs11/session_pool.h"

#include <atomic>
#include <chrono>
#include <thread>

#include "pkcs11/crypto.h"
#include "test_token.h"

namespace keyhold::pkcs11 {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Pool : public ::testing::Test {
 protected:
  std::unique_ptr<SessionPool> pool(std::size_t sessions, milliseconds wait = milliseconds(2000)) {
    PoolOptions options = token_->pool_options();
    options.max_sessions = sessions;
    options.wait = wait;
    return std::make_unique<SessionPool>(token_->module(), token_->slot(), std::move(options));
  }
  ObjectHandle key(Session& session, const Attributes& attributes = aes_key_attributes()) {
    return must(generate_key(session, Mechanism::plain(CKM_AES_KEY_GEN), attributes));
  }
  Result<Bytes> use(Session& session, ObjectHandle with) {
    return encrypt(session, must(Mechanism::gcm(Bytes(12), {})), with, view("text"));
  }
  std::vector<ObjectHandle> find(Session& session, std::string_view id) {
    return must(find_objects(session, Attributes().bytes(CKA_ID, view(id))));
  }

  Faults faults_;
  std::unique_ptr<TestToken> token_ = TestToken::make(TokenKind::kSoftHsmBehindFaults);
};

TEST_F(Pool, NoMoreSessionsAreLentThanAllowedAndWaitingIsBounded) {
  auto pool = this->pool(2, milliseconds(50));
  auto one = must(pool->lease());
  auto two = std::make_optional(must(pool->lease()));
  EXPECT_NE(one->handle(), (*two)->handle());
  const auto start = steady_clock::now();
  const auto three = pool->lease();
  ASSERT_FALSE(three);
  EXPECT_TRUE(three.error().sessions_exhausted());
  EXPECT_GE(steady_clock::now() - start, milliseconds(50));
  EXPECT_EQ(pool->open_sessions(), 2U);
  two.reset();
  EXPECT_TRUE(pool->lease());
}

TEST_F(Pool, AWaitingThreadGetsTheSessionThatComesBack) {
  auto pool = this->pool(1, milliseconds(20000));
  auto held = std::make_optional(must(pool->lease()));
  const CK_SESSION_HANDLE handle = (*held)->handle();
  CK_SESSION_HANDLE lent = 0;
  std::thread waiter([&] { lent = must(pool->lease())->handle(); });
  std::this_thread::sleep_for(milliseconds(30));
  held.reset();
  waiter.join();
  EXPECT_EQ(lent, handle);
}

TEST_F(Pool, AThreadGetsBackTheSessionItHadLast) {
  auto pool = this->pool(4);
  std::atomic<int> others_done{0};
  const auto work = [&] {
    const CK_SESSION_HANDLE first = [&] {
      const auto lease = must(pool->lease());
      std::this_thread::sleep_for(milliseconds(20));  // so that each thread opens its own
      return lease->handle();
    }();
    for (int i = 0; i < 50; ++i) EXPECT_EQ(must(pool->lease())->handle(), first);
    ++others_done;
  };
  std::thread a(work), b(work), c(work);
  a.join();
  b.join();
  c.join();
  EXPECT_EQ(others_done, 3);
}

TEST_F(Pool, TheSessionAThreadHadLastIsTheOneItGetsEvenIfOthersAreFree) {
  auto pool = this->pool(2);
  auto first = std::make_optional(must(pool->lease()));
  auto last = std::make_optional(must(pool->lease()));
  const CK_SESSION_HANDLE handle = (*last)->handle();
  first.reset();
  last.reset();
  for (int i = 0; i < 5; ++i) EXPECT_EQ(must(pool->lease())->handle(), handle);
}

TEST_F(Pool, LogsInOnceHoweverManySessionsAreLent) {
  auto pool = this->pool(4);
  faults_.clear_trace();
  std::vector<SessionLease> leases;
  for (int i = 0; i < 4; ++i) leases.push_back(must(pool->lease()));
  leases.clear();
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(pool->lease());
  EXPECT_EQ(faults_.calls("C_Login"), 1U);
  EXPECT_EQ(faults_.calls("C_OpenSession"), 5U);
}

TEST_F(Pool, WithoutAPinNobodyLogsIn) {
  SessionPool pool(token_->module(), token_->slot(), PoolOptions{});
  faults_.clear_trace();
  auto lease = must(pool.lease());
  EXPECT_EQ(must(lease->info()).state, CKS_RW_PUBLIC_SESSION);
  EXPECT_EQ(faults_.calls("C_Login"), 0U);
}

TEST_F(Pool, ALoginThatIsThereAlreadyIsASuccess) {
  const Session other = token_->session();
  auto pool = this->pool(1);
  EXPECT_EQ(must(must(pool->lease())->info()).state, CKS_RW_USER_FUNCTIONS);

  auto second = this->pool(1);
  faults_.script("C_GetSessionInfo 1 after:CKR_OK\nC_Login 1 CKR_USER_ALREADY_LOGGED_IN");
  EXPECT_TRUE(second->lease());
}

TEST_F(Pool, AWrongPinIsTriedOnceAndNeverAgainUntilToldSo) {
  std::string pin = "wrong-pin-0000";
  PoolOptions options = token_->pool_options();
  options.pin = [&]() -> Result<SecretBytes> { return SecretBytes(pin); };
  SessionPool pool(token_->module(), token_->slot(), std::move(options));
  faults_.clear_trace();
  for (int i = 0; i < 5; ++i) {
    const auto lease = pool.lease();
    ASSERT_FALSE(lease);
    EXPECT_EQ(lease.error().rv(), CKR_PIN_INCORRECT);
    EXPECT_EQ(lease.error().text().find(pin), std::string::npos);
  }
  EXPECT_FALSE(pool.open_owner());
  EXPECT_EQ(faults_.calls("C_Login"), 1U);
  must(token_->module().reinitialize());
  EXPECT_EQ(rv_of(pool.lease()), CKR_PIN_INCORRECT);
  EXPECT_EQ(faults_.calls("C_Login"), 1U);

  pin = std::string(kUserPin);
  EXPECT_EQ(rv_of(pool.lease()), CKR_PIN_INCORRECT);
  pool.forget_refused_pin();
  EXPECT_TRUE(pool.lease());
  EXPECT_EQ(faults_.calls("C_Login"), 2U);
}

TEST_F(Pool, AWrongPinIsTriedOnceEvenByManyThreads) {
  PoolOptions options = token_->pool_options();
  options.pin = []() -> Result<SecretBytes> { return SecretBytes(std::string_view("wrong-pin")); };
  SessionPool pool(token_->module(), token_->slot(), std::move(options));
  faults_.clear_trace();
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] { EXPECT_EQ(rv_of(pool.lease()), CKR_PIN_INCORRECT); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(faults_.calls("C_Login"), 1U);
}

TEST_F(Pool, APinThatCannotBeFetchedIsAnErrorAndNoLogin) {
  int asked = 0;
  PoolOptions options = token_->pool_options();
  options.pin = [&]() -> Result<SecretBytes> {
    ++asked;
    return Error(CKR_FUNCTION_FAILED, "pin", "no such file");
  };
  SessionPool pool(token_->module(), token_->slot(), std::move(options));
  faults_.clear_trace();
  EXPECT_THAT(pool.lease().error().text(), HasSubstr("no such file"));
  EXPECT_EQ(rv_of(pool.lease()), CKR_FUNCTION_FAILED);
  EXPECT_EQ(asked, 2);
  EXPECT_EQ(faults_.calls("C_Login"), 0U);
}

TEST_F(Pool, AFailedLoginThatSaysNothingOfThePinIsTriedAgain) {
  auto pool = this->pool(1);
  faults_.script("C_Login 1 CKR_DEVICE_ERROR");
  EXPECT_EQ(rv_of(pool->lease()), CKR_DEVICE_ERROR);
  EXPECT_TRUE(pool->lease());
}

TEST_F(Pool, ABrokenSessionIsClosedAndNotLentAgain) {
  auto pool = this->pool(1);
  CK_SESSION_HANDLE broken = 0;
  {
    auto lease = must(pool->lease());
    broken = lease->handle();
    faults_.script("C_GenerateRandom 1 CKR_FUNCTION_FAILED");
    Bytes out(8);
    EXPECT_FALSE(random(*lease, out));
    EXPECT_TRUE(lease->broken());
    faults_.clear_trace();
  }
  EXPECT_EQ(faults_.calls("C_CloseSession"), 1U);
  EXPECT_EQ(pool->open_sessions(), 0U);
  auto lease = must(pool->lease());
  EXPECT_NE(lease->handle(), broken);
  EXPECT_FALSE(lease->broken());
}

TEST_F(Pool, ALeaseTellsWhetherItsSessionWasOpenedForIt) {
  auto pool = this->pool(1);
  EXPECT_EQ(must(pool->lease()).opened(), SessionLease::Opened::kForThisLoan);
  {
    auto lease = must(pool->lease());
    EXPECT_EQ(lease.opened(), SessionLease::Opened::kBefore);
    lease->mark_broken();
  }
  EXPECT_EQ(must(pool->lease()).opened(), SessionLease::Opened::kForThisLoan);
}

TEST_F(Pool, ASessionWithAnOperationLeftActiveDoesNotComeBack) {
  auto pool = this->pool(1);
  const auto owner = must(pool->open_owner());
  const ObjectHandle with = key(*owner->lock());
  faults_.script("C_Encrypt 1 CKR_BUFFER_TOO_SMALL");
  EXPECT_FALSE(use(*must(pool->lease()), with));
  EXPECT_TRUE(use(*must(pool->lease()), with));
}

TEST_F(Pool, ALostLoginIsRenewedAndOlderHandlesAreStale) {
  auto pool = this->pool(2);
  ObjectHandle old;
  {
    auto lease = must(pool->lease());
    old = key(*lease, aes_token_key_attributes("kept"));
    must(lease->logout());
    const auto lost = use(*lease, old);
    ASSERT_FALSE(lost);
    EXPECT_TRUE(lost.error().handle_stale() || lost.error().login_lost()) << lost.error().text();
  }
  faults_.clear_trace();
  auto lease = must(pool->lease());
  EXPECT_EQ(faults_.calls("C_Login"), 1U);
  EXPECT_TRUE(is_stale(token_->module(), old));
  const auto found = find(*lease, "kept");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_GT(found[0].generation, old.generation);
  EXPECT_TRUE(use(*lease, found[0]));
}

TEST_F(Pool, AStaleHandleWithTheLoginInPlaceCostsNoLogin) {
  auto pool = this->pool(1);
  {
    auto lease = must(pool->lease());
    const ObjectHandle gone = key(*lease);
    must(destroy_object(*lease, gone));
    EXPECT_TRUE(use(*lease, gone).error().handle_stale());
  }
  const auto generation = token_->module().object_generation();
  faults_.clear_trace();
  EXPECT_TRUE(pool->lease());
  EXPECT_EQ(faults_.calls("C_Login"), 0U);
  EXPECT_EQ(token_->module().object_generation(), generation);
}

TEST_F(Pool, AfterReinitializeOldSessionsAreDroppedAndNewOnesLoggedIn) {
  auto pool = this->pool(2);
  {
    auto lease = must(pool->lease());
    key(*lease, aes_token_key_attributes("kept"));
  }
  must(token_->module().reinitialize());
  faults_.clear_trace();
  auto lease = must(pool->lease());
  EXPECT_EQ(faults_.calls("C_CloseSession"), 0U);
  EXPECT_EQ(faults_.calls("C_Login"), 1U);
  const auto found = find(*lease, "kept");
  ASSERT_EQ(found.size(), 1U);
  EXPECT_TRUE(use(*lease, found[0]));
}

TEST_F(Pool, ATokenWithoutSessionsLeftIsWaitedOut) {
  auto pool = this->pool(2);
  faults_.script("C_OpenSession * CKR_SESSION_COUNT");
  std::thread later([&] {
    std::this_thread::sleep_for(milliseconds(60));
    faults_.no_script();
  });
  const auto lease = pool->lease();
  later.join();
  EXPECT_TRUE(lease) << lease.error().text();
}

TEST_F(Pool, ATokenThatHasFewerSessionsThanThePoolLendsThoseItHas) {
  auto pool = this->pool(4, milliseconds(20000));
  auto held = std::make_optional(must(pool->lease()));
  const CK_SESSION_HANDLE handle = (*held)->handle();
  faults_.script("C_OpenSession * CKR_SESSION_COUNT");
  CK_SESSION_HANDLE lent = 0;
  std::thread waiter([&] { lent = must(pool->lease())->handle(); });
  std::this_thread::sleep_for(milliseconds(50));
  held.reset();
  waiter.join();
  EXPECT_EQ(lent, handle);
}

TEST_F(Pool, ATokenThatNeverHasASessionIsReportedInTime) {
  auto pool = this->pool(2, milliseconds(60));
  faults_.script("C_OpenSession * CKR_SESSION_COUNT");
  const auto start = steady_clock::now();
  EXPECT_EQ(rv_of(pool->lease()), CKR_SESSION_COUNT);
  EXPECT_GE(steady_clock::now() - start, milliseconds(60));
}

TEST_F(Pool, OtherErrorsOfOpeningAreReportedAtOnce) {
  auto pool = this->pool(2, milliseconds(20000));
  faults_.script("C_OpenSession * CKR_TOKEN_NOT_PRESENT");
  const auto start = steady_clock::now();
  EXPECT_TRUE(pool->lease().error().token_gone());
  EXPECT_LT(steady_clock::now() - start, milliseconds(10000));
}

TEST_F(Pool, SessionObjectsOfAnOwnerAreUsedElsewhereAndDieWithIt) {
  auto pool = this->pool(2);
  auto owner = must(pool->open_owner());
  EXPECT_TRUE(owner->usable());
  const ObjectHandle owned = key(*owner->lock());
  auto lease = must(pool->lease());
  EXPECT_TRUE(use(*lease, owned));
  owner.reset();
  EXPECT_TRUE(use(*lease, owned).error().handle_stale());
}

TEST_F(Pool, AnOwnerIsNotUsableOnceItsSessionIsBrokenOrStale) {
  auto pool = this->pool(2);
  auto owner = must(pool->open_owner());
  const ObjectHandle owned = key(*owner->lock());
  owner->lock()->mark_broken();
  EXPECT_FALSE(owner->usable());
  EXPECT_TRUE(use(*must(pool->lease()), owned));

  auto second = must(pool->open_owner());
  must(token_->module().reinitialize());
  EXPECT_FALSE(second->usable());
}

TEST_F(Pool, ASuspendedPoolRefusesAtOnceAndLendsAgainAfterwards) {
  auto pool = this->pool(2, milliseconds(20000));
  EXPECT_TRUE(pool->lease());
  {
    const auto suspension = must(pool->suspend(milliseconds(1000)));
    EXPECT_EQ(rv_of(pool->lease()), CKR_FUNCTION_CANCELED);
    EXPECT_EQ(rv_of(pool->open_owner()), CKR_FUNCTION_CANCELED);
    EXPECT_EQ(rv_of(pool->suspend(milliseconds(1))), CKR_FUNCTION_FAILED);
    must(token_->module().reinitialize());
    pool->move_to_slot(token_->slot());
  }
  EXPECT_EQ(must(must(pool->lease())->info()).state, CKS_RW_USER_FUNCTIONS);
}

TEST_F(Pool, SuspendingWaitsForLeasesAndGivesUpInTime) {
  auto pool = this->pool(2);
  auto held = std::make_optional(must(pool->lease()));
  EXPECT_EQ(rv_of(pool->suspend(milliseconds(30))), CKR_FUNCTION_FAILED);
  EXPECT_TRUE(pool->lease());
  std::thread later([&] {
    std::this_thread::sleep_for(milliseconds(30));
    held.reset();
  });
  EXPECT_TRUE(pool->suspend(milliseconds(20000)));
  later.join();
  EXPECT_TRUE(pool->lease());
}

TEST_F(Pool, ThreadsThatWaitWhenAPoolIsSuspendedAreToldSo) {
  auto pool = this->pool(1, milliseconds(20000));
  auto held = std::make_optional(must(pool->lease()));
  CK_RV waited = CKR_OK;
  std::thread waiter([&] { waited = rv_of(pool->lease()); });
  std::this_thread::sleep_for(milliseconds(30));
  EXPECT_EQ(rv_of(pool->suspend(milliseconds(50))), CKR_FUNCTION_FAILED);
  waiter.join();
  EXPECT_EQ(waited, CKR_FUNCTION_CANCELED);
}

// More threads than sessions, all of it at once: use, breakage, login checks.
TEST_F(Pool, ManyThreadsShareFewSessionsAndNoneIsLentTwice) {
  auto pool = this->pool(3, milliseconds(60000));
  const auto owner = must(pool->open_owner());
  const ObjectHandle with = key(*owner->lock());
  std::array<std::atomic<int>, 1024> users{};
  std::atomic<int> done{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 60; ++i) {
        auto lease = must(pool->lease());
        auto& user = users[lease->handle() % users.size()];
        EXPECT_EQ(user.fetch_add(1), 0);
        EXPECT_TRUE(use(*lease, with));
        if ((i + t) % 10 == 0) lease->mark_broken();
        if ((i + t) % 15 == 0) (void)destroy_object(*lease, ObjectHandle{0x7fff, with.generation});
        user.fetch_sub(1);
        ++done;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(done, 8 * 60);
  EXPECT_LE(pool->open_sessions(), 3U);
}

TEST_F(Pool, TheModuleIsReinitializedUnderWorkingThreadsWithoutAFailedCall) {
  auto pool = this->pool(3, milliseconds(60000));
  std::atomic<bool> stop{false};
  std::atomic<int> used{0};
  std::atomic<int> refused{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      while (!stop) {
        auto lease = pool->lease();
        if (!lease) {
          EXPECT_EQ(lease.error().rv(), CKR_FUNCTION_CANCELED) << lease.error().text();
          ++refused;
          std::this_thread::yield();
          continue;
        }
        EXPECT_TRUE(use(**lease, key(**lease)));
        ++used;
      }
    });
  }
  for (int i = 0; i < 5; ++i) {
    std::this_thread::sleep_for(milliseconds(20));
    const auto suspension = must(pool->suspend(milliseconds(60000)));
    must(token_->module().reinitialize());
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(used, 0);
}

}  // namespace
}  // namespace keyhold::pkcs11

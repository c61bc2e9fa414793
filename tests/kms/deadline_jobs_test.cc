#include "kms/deadline_jobs.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

namespace keyhold::kms {
namespace {

using namespace std::chrono_literals;
using Durably = DeadlineJobs::Durably;
using Outcome = DeadlineJobs::Outcome;

constexpr milliseconds kLong = 30s;
constexpr milliseconds kShort = 20ms;

/// A door that jobs wait at until the test opens it.
class Door {
 public:
  void wait() const { opened_.wait(); }
  void open() { promise_.set_value(); }

 private:
  std::promise<void> promise_;
  std::shared_future<void> opened_ = promise_.get_future().share();
};

TEST(DeadlineJobs, AnswerWhatTheJobAnswered) {
  DeadlineJobs jobs(1, 4);
  const auto good = jobs.run([](const Durably&) { return Result<void>(); }, kLong);
  EXPECT_EQ(good.outcome, Outcome::kDone);
  EXPECT_TRUE(good.result);
  const auto bad = jobs.run(
      [](const Durably&) { return Result<void>(Error(ErrorCode::kConflict, "x")); }, kLong);
  EXPECT_EQ(bad.outcome, Outcome::kDone);
  ASSERT_FALSE(bad.result);
  EXPECT_EQ(bad.result.error().code(), ErrorCode::kConflict);
}

TEST(DeadlineJobs, WriteNothingOnceTheDeadlinePassedBeforeTheWrite) {
  Door door;
  std::promise<Result<void>> ended;
  std::atomic<bool> written{false};
  DeadlineJobs jobs(1, 4);
  const auto answer = jobs.run(
      [&](const Durably& durably) -> Result<void> {
        door.wait();
        auto result = durably([&]() -> Result<void> {
          written = true;
          return {};
        });
        ended.set_value(result);
        return result;
      },
      kShort);
  EXPECT_EQ(answer.outcome, Outcome::kCancelled);
  ASSERT_FALSE(answer.result);
  EXPECT_EQ(answer.result.error().code(), ErrorCode::kDependencyTimeout);
  door.open();
  const auto seen_by_job = ended.get_future().get();
  ASSERT_FALSE(seen_by_job);
  EXPECT_EQ(seen_by_job.error().code(), ErrorCode::kDependencyTimeout);
  EXPECT_FALSE(written);
}

TEST(DeadlineJobs, GoOnToTheirEndOnceSomethingIsWritten) {
  Door door;
  std::promise<void> ended;
  DeadlineJobs jobs(1, 4);
  const auto answer = jobs.run(
      [&](const Durably& durably) -> Result<void> {
        TRY(durably([] { return Result<void>(); }));
        door.wait();
        ended.set_value();
        return {};
      },
      kShort);
  EXPECT_EQ(answer.outcome, Outcome::kGoesOn);
  EXPECT_FALSE(answer.result);
  door.open();
  ended.get_future().get();
}

/// What came of a job whose write takes longer than the caller's deadline.
struct SlowWrite {
  bool begun;
  bool ended;  ///< when the caller had its answer
  DeadlineJobs::Answer answer;
};
SlowWrite run_slow_write(const Result<void>& outcome) {
  Door after_write;
  std::atomic<bool> begun{false};
  std::atomic<bool> ended{false};
  DeadlineJobs jobs(1, 4);
  const auto answer = jobs.run(
      [&](const Durably& durably) -> Result<void> {
        TRY(durably([&]() -> Result<void> {
          begun = true;
          std::this_thread::sleep_for(5 * kShort);
          ended = true;
          return outcome;
        }));
        after_write.wait();
        return {};
      },
      kShort);
  const SlowWrite seen{begun, ended, answer};
  after_write.open();
  return seen;
}

TEST(DeadlineJobs, WaitForAWriteThatHasBegunToKnowWhichAnswerIsTrue) {
  int begun = 0;
  for (int i = 0; i < 100 && begun < 3; ++i) {
    const SlowWrite good = run_slow_write({});
    // On a busy machine the deadline may pass before the job gets its turn.
    if (!good.begun) {
      EXPECT_EQ(good.answer.outcome, Outcome::kCancelled);
      continue;
    }
    ++begun;
    EXPECT_TRUE(good.ended);
    EXPECT_EQ(good.answer.outcome, Outcome::kGoesOn);
  }
  EXPECT_EQ(begun, 3);
}

TEST(DeadlineJobs, PromiseNothingOnceTheWriteHasFailed) {
  const SlowWrite bad = run_slow_write(Error(ErrorCode::kKmsInternal));
  EXPECT_EQ(bad.begun, bad.ended);
  EXPECT_NE(bad.answer.outcome, Outcome::kGoesOn);
  EXPECT_FALSE(bad.answer.result);
}

TEST(DeadlineJobs, NeverStartAJobWhoseCallerGaveUpInTheQueue) {
  Door door;
  DeadlineJobs jobs(1, 4);
  std::thread first([&] {
    const auto answer = jobs.run(
        [&](const Durably&) {
          door.wait();
          return Result<void>();
        },
        kLong);
    EXPECT_EQ(answer.outcome, Outcome::kDone);
  });
  std::atomic<bool> started{false};
  // Whether it queues before or after the first one's start, its turn does not come in time.
  std::this_thread::sleep_for(50ms);
  const auto second = jobs.run(
      [&](const Durably&) {
        started = true;
        return Result<void>();
      },
      kShort);
  EXPECT_EQ(second.outcome, Outcome::kCancelled);
  door.open();
  first.join();
  jobs.stop();
  EXPECT_FALSE(started);
}

TEST(DeadlineJobs, RefuseWithThrottlingWhatDoesNotFitIntoTheQueue) {
  Door door;
  std::atomic<int> done{0};
  DeadlineJobs jobs(1, 2);
  std::vector<std::thread> callers;
  const auto call = [&](std::promise<void>* started) {
    callers.emplace_back([&, started] {
      const auto answer = jobs.run(
          [&, started](const Durably&) {
            if (started != nullptr) started->set_value();
            door.wait();
            return Result<void>();
          },
          kLong);
      if (answer.result) ++done;
    });
  };
  std::promise<void> running;
  call(&running);
  running.get_future().get();
  call(nullptr);
  call(nullptr);
  // One runs and two wait, as soon as both have come in.
  ErrorCode refusal = ErrorCode::kKmsInternal;
  for (int i = 0; i < 500 && refusal != ErrorCode::kThrottling; ++i) {
    const auto answer = jobs.run([](const Durably&) { return Result<void>(); }, milliseconds(1));
    ASSERT_FALSE(answer.result);
    refusal = answer.result.error().code();
  }
  EXPECT_EQ(refusal, ErrorCode::kThrottling);
  door.open();
  for (auto& caller : callers) caller.join();
  EXPECT_GE(done, 1);
}

TEST(DeadlineJobs, StoppedFinishWhatTheyTookAndTakeNothingNew) {
  DeadlineJobs jobs(2, 16);
  std::atomic<int> done{0};
  std::vector<std::thread> callers;
  std::atomic<int> taken{0};
  for (int i = 0; i < 8; ++i) {
    callers.emplace_back([&] {
      const auto answer = jobs.run(
          [&](const Durably&) {
            ++taken;
            std::this_thread::sleep_for(5ms);
            ++done;
            return Result<void>();
          },
          kLong);
      if (!answer.result) {
        EXPECT_EQ(answer.result.error().code(), ErrorCode::kThrottling);
      }
    });
  }
  while (taken == 0) std::this_thread::yield();
  jobs.stop();
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(taken, done);
  const auto late = jobs.run([](const Durably&) { return Result<void>(); }, kLong);
  ASSERT_FALSE(late.result);
  EXPECT_EQ(late.result.error().code(), ErrorCode::kThrottling);
}

}  // namespace
}  // namespace keyhold::kms

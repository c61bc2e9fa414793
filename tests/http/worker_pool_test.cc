#include "http/worker_pool.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <array>
#include <atomic>
#include <future>
#include <stdexcept>
#include <vector>

namespace keyhold::http {
namespace {

using Submitted = WorkerPool::Submitted;

TEST(WorkerPool, RunsEveryAcceptedTaskOnce) {
  constexpr int kTasks = 10'000;
  std::vector<std::atomic<int>> runs(kTasks);
  {
    WorkerPool pool("pool", 4, kTasks);
    for (int i = 0; i < kTasks; ++i) {
      ASSERT_EQ(pool.submit([&runs, i] { ++runs[static_cast<std::size_t>(i)]; }),
                Submitted::kAccepted);
    }
  }
  for (const auto& count : runs) ASSERT_EQ(count, 1);
}

TEST(WorkerPool, StartsTasksInOrder) {
  std::vector<int> order;
  {
    WorkerPool pool("pool", 1, 100);
    for (int i = 0; i < 100; ++i) {
      ASSERT_EQ(pool.submit([&order, i] { order.push_back(i); }), Submitted::kAccepted);
    }
  }
  ASSERT_EQ(order.size(), 100U);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
}

TEST(WorkerPool, RefusesAtOnceWhenTheQueueIsFullAndAcceptsAgainWhenItIsNot) {
  std::promise<void> started;
  std::promise<void> release;
  std::shared_future<void> released = release.get_future().share();
  WorkerPool pool("pool", 1, 2);
  ASSERT_EQ(pool.submit([&] {
    started.set_value();
    released.wait();
  }),
            Submitted::kAccepted);
  started.get_future().wait();  // it runs, so it takes no place in the queue

  std::promise<void> last_ran;
  ASSERT_EQ(pool.submit([] {}), Submitted::kAccepted);
  ASSERT_EQ(pool.submit([&] { last_ran.set_value(); }), Submitted::kAccepted);
  EXPECT_EQ(pool.waiting(), 2U);
  std::atomic<bool> refused_ran = false;
  EXPECT_EQ(pool.submit([&] { refused_ran = true; }), Submitted::kFull);
  EXPECT_EQ(pool.waiting(), 2U);

  release.set_value();
  last_ran.get_future().wait();
  EXPECT_EQ(pool.submit([] {}), Submitted::kAccepted);
  pool.stop();
  EXPECT_FALSE(refused_ran);
}

TEST(WorkerPool, RunsTasksOnAllItsThreadsAtOnce) {
  constexpr std::size_t kThreads = 3;
  std::atomic<std::size_t> inside = 0;
  std::promise<void> all_inside;
  std::shared_future<void> together = all_inside.get_future().share();
  WorkerPool pool("pool", kThreads, kThreads);
  for (std::size_t i = 0; i < kThreads; ++i) {
    ASSERT_EQ(pool.submit([&] {
      if (++inside == kThreads) all_inside.set_value();
      together.wait();  // ends only if all threads get here
    }),
              Submitted::kAccepted);
  }
  pool.stop();
  EXPECT_EQ(inside, kThreads);
}

TEST(WorkerPool, StopRunsWhatIsQueuedAndAcceptsNothingMore) {
  std::atomic<int> ran = 0;
  WorkerPool pool("pool", 1, 100);
  for (int i = 0; i < 50; ++i) {
    ASSERT_EQ(pool.submit([&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      ++ran;
    }),
              Submitted::kAccepted);
  }
  pool.stop();
  EXPECT_EQ(ran, 50);
  EXPECT_EQ(pool.submit([&] { ++ran; }), Submitted::kStopped);
  pool.stop();
  EXPECT_EQ(ran, 50);
}

TEST(WorkerPool, MayBeStoppedFromSeveralThreads) {
  WorkerPool pool("pool", 2, 10);
  std::atomic<int> ran = 0;
  for (int i = 0; i < 10; ++i) ASSERT_EQ(pool.submit([&] { ++ran; }), Submitted::kAccepted);
  std::thread other([&] { pool.stop(); });
  pool.stop();
  EXPECT_EQ(ran, 10);
  other.join();
}

TEST(WorkerPool, SurvivesATaskThatThrows) {
  WorkerPool pool("pool", 1, 10);
  std::atomic<bool> ran = false;
  ASSERT_EQ(pool.submit([] { throw std::runtime_error("a bug"); }), Submitted::kAccepted);
  ASSERT_EQ(pool.submit([] { throw 1; }), Submitted::kAccepted);
  ASSERT_EQ(pool.submit([&] { ran = true; }), Submitted::kAccepted);
  pool.stop();
  EXPECT_TRUE(ran);
}

TEST(WorkerPool, NamesItsThreads) {
  WorkerPool pool("a-very-long-name-of-a-pool", 1, 1);
  std::promise<std::string> name;
  ASSERT_EQ(pool.submit([&] {
    std::array<char, 64> text{};
    pthread_getname_np(pthread_self(), text.data(), text.size());
    name.set_value(text.data());
  }),
            Submitted::kAccepted);
  EXPECT_EQ(name.get_future().get(), "a-very-long-nam");

  WorkerPool named("worker", 1, 1);
  std::promise<std::string> short_name;
  ASSERT_EQ(named.submit([&] {
    std::array<char, 64> text{};
    pthread_getname_np(pthread_self(), text.data(), text.size());
    short_name.set_value(text.data());
  }),
            Submitted::kAccepted);
  EXPECT_EQ(short_name.get_future().get(), "worker-0");
}

}  // namespace
}  // namespace keyhold::http

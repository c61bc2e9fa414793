#include "app/health_probe.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>

namespace keyhold::app {
namespace {

using std::chrono::milliseconds;
constexpr milliseconds kLong{60'000};

TEST(HealthProbes, AskAnewForEachAnswer) {
  int asked = 0;
  HealthProbe probe([&]() -> Result<void> {
    ++asked;
    if (asked % 2 == 0) return Error(ErrorCode::kKeyUnavailable);
    return {};
  });
  EXPECT_TRUE(probe.ask(kLong));
  EXPECT_FALSE(probe.ask(kLong));
  EXPECT_TRUE(probe.ask(kLong));
  EXPECT_EQ(asked, 3);
}

TEST(HealthProbes, GiveUpOnAQuestionThatHangs) {
  std::promise<void> let_go;
  auto released = let_go.get_future().share();
  HealthProbe probe([released]() -> Result<void> {
    released.wait();
    return {};
  });
  const auto answer = probe.ask(milliseconds(20));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code(), ErrorCode::kDependencyTimeout);
  let_go.set_value();
  EXPECT_TRUE(probe.ask(kLong));
}

}  // namespace
}  // namespace keyhold::app

#include "base/limited_log.h"

#include <gtest/gtest.h>

#include <string>
#include <thread>

namespace keyhold::log {
namespace {

std::size_t count(const std::string& text, std::string_view part) {
  std::size_t found = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; ++at) ++found;
  return found;
}

TEST(LimitedLines, WritesSoManyASecondAndTellsOfTheRest) {
  LimitedLines lines(3);
  testing::internal::CaptureStderr();
  for (int i = 0; i < 10; ++i) lines.error("the token is away");
  const std::string flood = testing::internal::GetCapturedStderr();
  EXPECT_EQ(count(flood, "the token is away\n"), 3U) << flood;

  std::this_thread::sleep_for(std::chrono::milliseconds(1100));
  testing::internal::CaptureStderr();
  lines.error("still away");
  lines.error("still");
  const std::string later = testing::internal::GetCapturedStderr();
  EXPECT_EQ(count(later, "still away (before it, 7 such lines left out)\n"), 1U) << later;
  EXPECT_EQ(count(later, "still\n"), 1U) << later;
}

}  // namespace
}  // namespace keyhold::log

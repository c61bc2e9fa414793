#include "base/clock.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>
#include <string>

namespace keyhold {
namespace {

using std::chrono::hours;
using std::chrono::minutes;
using std::chrono::seconds;
using std::chrono::sys_days;
using namespace std::chrono_literals;

TimePoint at(std::chrono::year_month_day day, milliseconds time) { return sys_days(day) + time; }

TEST(ClockFormats, WriteUtcSecondsCutOffNotRounded) {
  const TimePoint time = at(2026y / 11 / 24, 15h + 4min + 5s + 999ms);
  EXPECT_EQ(to_iso8601(time), "2026-11-24T15:04:05Z");
  EXPECT_EQ(to_basic_iso8601(time), "20261124T150405Z");
}

TEST(ClockFormats, PadEveryFieldAndKnowLeapDays) {
  EXPECT_EQ(to_iso8601(TimePoint{}), "1970-01-01T00:00:00Z");
  EXPECT_EQ(to_iso8601(at(2024y / 2 / 29, 1h + 2min + 3s)), "2024-02-29T01:02:03Z");
  EXPECT_EQ(to_iso8601(at(2000y / 12 / 31, 23h + 59min + 59s)), "2000-12-31T23:59:59Z");
}

TEST(ClockFormats, GoBackInTimeBeforeTheEpoch) {
  EXPECT_EQ(to_iso8601(TimePoint{} - 1ms), "1969-12-31T23:59:59Z");
}

TEST(ClockFormats, NeverReadFarTimesAsNearOnes) {
  for (const TimePoint far : {at(12026y / 1 / 1, 0ms), TimePoint(milliseconds::max())}) {
    EXPECT_EQ(to_iso8601(far), "9999-12-31T23:59:59Z");
    EXPECT_EQ(to_basic_iso8601(far), "99991231T235959Z");
  }
  EXPECT_EQ(to_iso8601(TimePoint(milliseconds::min())), "0000-01-01T00:00:00Z");
}

TEST(ClockFormats, DoNotDependOnTheLocalTimeZone) {
  const char* before = std::getenv("TZ");
  const std::string saved = before == nullptr ? "" : before;
  ::setenv("TZ", "America/New_York", 1);
  ::tzset();
  // The day on which New York's clocks skip an hour.
  EXPECT_EQ(to_iso8601(at(2026y / 3 / 8, 7h + 30min)), "2026-03-08T07:30:00Z");
  if (before == nullptr) {
    ::unsetenv("TZ");
  } else {
    ::setenv("TZ", saved.c_str(), 1);
  }
  ::tzset();
}

TEST(SystemClock, ShowsWholeMillisecondsOfTheMachinesTime) {
  const auto before = std::chrono::system_clock::now();
  const TimePoint now = SystemClock().now();
  const auto after = std::chrono::system_clock::now();
  EXPECT_LE(std::chrono::floor<milliseconds>(before), now);
  EXPECT_LE(now, after);
}

TEST(OffsetClock, FollowsItsBaseAtTheSetDistance) {
  ManualClock base(at(2026y / 1 / 1, 0ms));
  OffsetClock clock(base, kDay * 3);
  EXPECT_EQ(clock.now(), at(2026y / 1 / 4, 0ms));
  base.advance(hours(1));
  clock.set_offset(minutes(1));
  EXPECT_EQ(clock.now(), at(2026y / 1 / 1, 1h + 1min));
}

TEST(ManualClock, MovesOnlyWhenMoved) {
  ManualClock clock(at(2026y / 1 / 1, 0ms));
  EXPECT_EQ(clock.now(), at(2026y / 1 / 1, 0ms));
  clock.advance(seconds(2));
  EXPECT_EQ(clock.now(), at(2026y / 1 / 1, 2s));
  clock.set(at(2030y / 1 / 1, 0ms));
  EXPECT_EQ(clock.now(), at(2030y / 1 / 1, 0ms));
}

}  // namespace
}  // namespace keyhold

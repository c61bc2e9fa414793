#include "iam/request_date.h"

#include <gtest/gtest.h>

namespace keyhold::iam {
namespace {

TEST(RequestDate, TheBasicFormIsReadToTheSecond) {
  const auto time = parse_basic_iso8601("20150830T123600Z");
  ASSERT_TRUE(time);
  EXPECT_EQ(time->time_since_epoch(), std::chrono::seconds(1440938160));  // date -u +%s
  EXPECT_TRUE(parse_basic_iso8601("20240229T235959Z"));
}

TEST(RequestDate, WhatIsNoInstantInTheBasicFormIsRefused) {
  for (const std::string text :
       {"", "20184022T211305Z", "20150830T123600", "20150830T123600z", "20150830t123600Z",
        "2015-08-30T12:36:00Z", "20150830 123600Z", "20150830T123600ZZ", " 0150830T123600Z",
        "20230229T000000Z", "20150431T000000Z", "20150800T000000Z", "20150030T000000Z",
        "20150830T240000Z", "20150830T126000Z", "20150830T123660Z", "+0150830T123600Z",
        "2015083aT123600Z"})
    EXPECT_FALSE(parse_basic_iso8601(text)) << text;
}

TEST(RequestDate, ADateHeaderMayHaveEitherForm) {
  const auto time = parse_basic_iso8601("20150830T123600Z");
  EXPECT_EQ(parse_date_header("Sun, 30 Aug 2015 12:36:00 GMT"), time);
  EXPECT_EQ(parse_date_header("20150830T123600Z"), time);
}

TEST(RequestDate, AMalformedDateHeaderIsRefused) {
  for (const std::string text :
       {"", "Mon, 30 Aug 2015 12:36:00 GMT", "Sun, 30 Aug 2015 12:36:00 UTC",
        "Sun, 30 aug 2015 12:36:00 GMT", "Sun, 3x Aug 2015 12:36:00 GMT",
        "Sun, 31 Sep 2015 12:36:00 GMT", "Sun  30 Aug 2015 12:36:00 GMT",
        "Sun, 30-Aug-2015 12:36:00 GMT", "Sunday, 30-Aug-15 12:36:00 GMT",
        "Sun, 30 Aug 2015 12.36.00 GMT", "Sun Aug 30 12:36:00 2015"})
    EXPECT_FALSE(parse_date_header(text)) << text;
}

}  // namespace
}  // namespace keyhold::iam

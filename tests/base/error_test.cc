#include "base/error.h"

#include <gtest/gtest.h>

#include <set>
#include <stdexcept>
#include <vector>

#include "base/result.h"

namespace keyhold {
namespace {

std::vector<ErrorCode> all_codes() {
  return {
#define KEYHOLD_ERROR(code, wire_name, status, blame) ErrorCode::code,
#include "base/error.def"
#undef KEYHOLD_ERROR
  };
}

TEST(ErrorTable, GivesEachCodeItsOwnRowAndNameBack) {
  std::set<std::string_view> names;
  for (const ErrorCode code : all_codes()) {
    const ErrorRow& row = error_row(code);
    EXPECT_TRUE(names.insert(row.wire_name).second) << row.wire_name << " stands twice";
    EXPECT_TRUE(row.wire_name.ends_with("Exception")) << row.wire_name;
    ASSERT_TRUE(error_code(row.wire_name));
    EXPECT_EQ(*error_code(row.wire_name), code);
  }
}

TEST(ErrorTable, BlamesTheServiceExactlyWhereTheStatusIs500) {
  for (const ErrorCode code : all_codes()) {
    const ErrorRow& row = error_row(code);
    EXPECT_EQ(row.blame == Blame::kService, row.http_status >= 500) << row.wire_name;
    EXPECT_TRUE(row.http_status == 400 || row.http_status == 413 || row.http_status == 500)
        << row.wire_name;
  }
}

TEST(ErrorTable, HasTheFaultsOfTheApiModelAs500) {
  for (const auto name :
       {"DependencyTimeoutException", "KeyUnavailableException", "KMSInternalException"}) {
    const auto code = error_code(name);
    ASSERT_TRUE(code) << name;
    EXPECT_EQ(error_row(*code).http_status, 500) << name;
  }
}

TEST(ErrorTable, KnowsNoOtherName) {
  EXPECT_FALSE(error_code(""));
  EXPECT_FALSE(error_code("NotFound"));
  EXPECT_FALSE(error_code("notfoundexception"));
}

Result<int> half(int number) {
  if (number % 2 != 0) return Error(ErrorCode::kValidation, "odd", "detail");
  return number / 2;
}
Result<int> quarter(int number) {
  TRY_ASSIGN(const int once, half(number));
  return half(once);
}
Result<void> is_even(int number) {
  TRY(half(number));
  return {};
}

TEST(Result, CarriesTheErrorOutThroughTry) {
  EXPECT_EQ(*quarter(8), 2);
  for (const int number : {7, 6}) {
    const auto result = quarter(number);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code(), ErrorCode::kValidation);
    EXPECT_EQ(result.error().message(), "odd");
    EXPECT_EQ(result.error().detail(), "detail");
  }
  EXPECT_TRUE(is_even(2));
  EXPECT_FALSE(is_even(3));
}

TEST(Result, ThrowsWhenAFailedOnesValueIsAskedFor) {
  EXPECT_THROW(static_cast<void>(half(1).value()), std::logic_error);
}

}  // namespace
}  // namespace keyhold

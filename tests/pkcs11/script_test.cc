#include "pkcs11/fault/script.h"

#include <array>

#include "test_token.h"

namespace keyhold::pkcs11::fault {
namespace {

using ::testing::HasSubstr;

constexpr std::array<std::string_view, 2> kFunctions = {"C_Encrypt", "C_Sign"};
constexpr std::size_t kEncrypt = 0;
constexpr std::size_t kSign = 1;

Script parse(std::string_view text) {
  std::string problem;
  Script script = Script::parse(text, kFunctions, &problem);
  EXPECT_EQ(problem, "");
  return script;
}

std::string problem_of(std::string_view text) {
  std::string problem;
  (void)Script::parse(text, kFunctions, &problem);
  return problem;
}

TEST(Script, TheNthCallIsCountedPerFunction) {
  Script script = parse("C_Encrypt 2 CKR_DEVICE_ERROR");
  EXPECT_EQ(script.next(kEncrypt).action, Action::kPass);
  EXPECT_EQ(script.next(kSign).action, Action::kPass);
  const Decision second = script.next(kEncrypt);
  EXPECT_EQ(second.action, Action::kInstead);
  EXPECT_EQ(second.rv, CKR_DEVICE_ERROR);
  EXPECT_EQ(script.next(kEncrypt).action, Action::kPass);
}

TEST(Script, NthAndLaterAndEvery) {
  Script later = parse("C_Encrypt 2+ 0x81000071");
  EXPECT_EQ(later.next(kEncrypt).action, Action::kPass);
  EXPECT_EQ(later.next(kEncrypt).rv, 0x81000071U);
  EXPECT_EQ(later.next(kEncrypt).rv, 0x81000071U);
  Script every = parse("C_Encrypt * after:CKR_CANCEL");
  EXPECT_EQ(every.next(kEncrypt).action, Action::kAfter);
  EXPECT_EQ(every.next(kEncrypt).rv, CKR_CANCEL);
}

TEST(Script, TheStarCountsEveryCall) {
  Script script = parse("* 3 exit-before");
  EXPECT_EQ(script.next(kEncrypt).action, Action::kPass);
  EXPECT_EQ(script.next(kSign).action, Action::kPass);
  EXPECT_EQ(script.next(kEncrypt).action, Action::kExitBefore);
  EXPECT_EQ(script.next(kEncrypt).action, Action::kPass);
}

TEST(Script, TheFirstLineThatIsForACallDecidesAndDelaysAddUp) {
  Script script = parse(
      "# comment\n\n  C_Encrypt\t1  pass # shields the first\r\n"
      "* * delay:5\nC_Encrypt * delay:7\nC_Encrypt * exit-after\n* * CKR_CANCEL\n");
  const Decision first = script.next(kEncrypt);
  EXPECT_EQ(first.action, Action::kPass);
  EXPECT_EQ(first.delay_ms, 0U);
  const Decision second = script.next(kEncrypt);
  EXPECT_EQ(second.action, Action::kExitAfter);
  EXPECT_EQ(second.delay_ms, 12U);
  const Decision other = script.next(kSign);
  EXPECT_EQ(other.action, Action::kInstead);
  EXPECT_EQ(other.delay_ms, 5U);
}

TEST(Script, AnEmptyScriptPassesEverything) {
  EXPECT_EQ(parse("").next(kEncrypt).action, Action::kPass);
  EXPECT_EQ(Script().next(kEncrypt).action, Action::kPass);
}

TEST(Script, WhatCannotBeReadIsNamedWithItsLine) {
  EXPECT_THAT(problem_of("\nC_Encrypt 1"), HasSubstr("line 2: not of the form"));
  EXPECT_THAT(problem_of("C_Encrypt 1 pass more"), HasSubstr("line 1: not of the form"));
  EXPECT_THAT(problem_of("C_Encript 1 pass"), HasSubstr("no function 'C_Encript'"));
  for (const char* nth : {"0", "-1", "+", "x", "1-", "99999999999999999999"}) {
    EXPECT_THAT(problem_of("C_Sign " + std::string(nth) + " pass"), HasSubstr("no number")) << nth;
  }
  for (const char* action : {"CKR_NO", "after:", "delay:", "delay:x", "0x", "0xg", "exit", "5"}) {
    EXPECT_THAT(problem_of("C_Sign 1 " + std::string(action)), HasSubstr("no action")) << action;
  }
}

}  // namespace
}  // namespace keyhold::pkcs11::fault

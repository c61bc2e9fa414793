#include "token/breaker.h"

#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "tests/support/places.h"

namespace keyhold::token {
namespace {

TEST(BreakerTest, TheTableIsTheOneThatIsPrinted) {
  const std::string path = keyhold::test::source_folder() + "/tests/golden/breaker.txt";
  if (std::getenv("KEYHOLD_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path, std::ios::trunc) << print_breaker_table();
  }
  std::ifstream file(path);
  const std::string golden((std::istreambuf_iterator<char>(file)),
                           std::istreambuf_iterator<char>());
  EXPECT_EQ(golden, print_breaker_table()) << "KEYHOLD_UPDATE_GOLDEN=1 writes it anew";
}

TEST(BreakerTest, BadInputChangesNothingInAnyState) {
  for (const BreakerState state :
       {BreakerState::kClosed, BreakerState::kOpen, BreakerState::kHalfOpen}) {
    const BreakerRow& row = breaker_row(state, BreakerEvent::kBadInput);
    EXPECT_EQ(row.next, state);
    EXPECT_EQ(row.step, BreakerStep::kNothing);
  }
}

TEST(BreakerTest, CallersAreLetInAgainOnlyAfterATrialThatSucceeded) {
  for (const BreakerRow& row : breaker_table()) {
    const bool closes = row.state != BreakerState::kClosed && row.next == BreakerState::kClosed;
    EXPECT_EQ(closes, row.step == BreakerStep::kAdmit);
    if (closes) {
      EXPECT_EQ(row.state, BreakerState::kHalfOpen);
      EXPECT_EQ(row.event, BreakerEvent::kTrialSucceeded);
    }
  }
}

TEST(BreakerTest, ARefusedPinEndsAllTrialsFromEveryState) {
  for (const BreakerState state :
       {BreakerState::kClosed, BreakerState::kOpen, BreakerState::kHalfOpen}) {
    const BreakerRow& row = breaker_row(state, BreakerEvent::kPinRefused);
    EXPECT_EQ(row.next, BreakerState::kOpen);
    EXPECT_EQ(row.step, BreakerStep::kGiveUp);
  }
}

TEST(BreakerTest, ATokenThatIsLostAndComesBackGoesThroughAllThreeStates) {
  Breaker breaker(BreakerState::kClosed);
  EXPECT_EQ(breaker.take(BreakerEvent::kTokenLost), BreakerStep::kShut);
  EXPECT_EQ(breaker.state(), BreakerState::kOpen);
  EXPECT_EQ(breaker.take(BreakerEvent::kTrialDue), BreakerStep::kTry);
  EXPECT_EQ(breaker.state(), BreakerState::kHalfOpen);
  EXPECT_EQ(breaker.take(BreakerEvent::kTrialFailed), BreakerStep::kPause);
  EXPECT_EQ(breaker.state(), BreakerState::kOpen);
  EXPECT_EQ(breaker.take(BreakerEvent::kTrialDue), BreakerStep::kTry);
  EXPECT_EQ(breaker.take(BreakerEvent::kTrialSucceeded), BreakerStep::kAdmit);
  EXPECT_EQ(breaker.state(), BreakerState::kClosed);
}

}  // namespace
}  // namespace keyhold::token

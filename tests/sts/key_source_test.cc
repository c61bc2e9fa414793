#include "sts/key_source.h"

#include <gtest/gtest.h>

#include <functional>
#include <thread>

namespace keyhold::sts {
namespace {

constexpr TimePoint kStart{std::chrono::seconds(1'700'000'000)};
// A point of P-256 (its generator), which is all that a key needs to be.
constexpr std::string_view kX = "axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY";
constexpr std::string_view kY = "T-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU";

std::string key_set(const std::string& kid) {
  return R"({"keys":[{"kty":"EC","crv":"P-256","kid":")" + kid + R"(","x":")" + std::string(kX) +
         R"(","y":")" + std::string(kY) + R"("}]})";
}

/// What the address answers next, and how often it was asked.
struct Address {
  std::function<Result<FetchedText>()> answer;
  int asked = 0;
};

class Fetcher final : public KeySetFetcher {
 public:
  explicit Fetcher(Address& place) : place_(place) {}
  const std::string& address() const override { return address_; }
  Result<FetchedText> fetch() override {
    ++place_.asked;
    return place_.answer();
  }

 private:
  const std::string address_ = "https://oidc.example.com/keys";
  Address& place_;
};

class FetchedKeysTest : public ::testing::Test {
 protected:
  void answer(const std::string& kid, std::optional<std::chrono::seconds> max_age = {}) {
    address_.answer = [=] { return FetchedText{key_set(kid), max_age}; };
  }
  void be_away() {
    address_.answer = [] { return Error(ErrorCode::kValidation, "away"); };
  }
  bool knows(const std::string& kid) {
    const auto keys = keys_.keys_for(kid);
    return keys && (*keys)->contains(kid);
  }
  bool is_without_keys() {
    const auto keys = keys_.keys_for("a");
    return !keys && keys.error().code == FaultCode::kIdpCommunicationError;
  }

  Address address_;
  ManualClock clock_{kStart};
  FetchedKeys keys_{std::make_unique<Fetcher>(address_), clock_};
};

TEST_F(FetchedKeysTest, AreAskedForWhenTheyAreNeededAndKept) {
  answer("a");
  EXPECT_EQ(address_.asked, 0);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(knows("a"));
  EXPECT_EQ(address_.asked, 1);
}

TEST_F(FetchedKeysTest, GrowOldAsTheAddressSaysWithinBounds) {
  struct Case {
    std::optional<std::chrono::seconds> said;
    std::chrono::seconds kept;
  };
  for (const auto& [said, kept] : {Case{std::nullopt, FetchedKeys::kDefaultAge},
                                   Case{std::chrono::seconds(0), FetchedKeys::kShortestAge},
                                   Case{std::chrono::seconds(300), std::chrono::seconds(300)},
                                   Case{std::chrono::hours(1000), FetchedKeys::kLongestAge}}) {
    answer("a", said);
    clock_.advance(std::chrono::hours(48));
    ASSERT_TRUE(knows("a"));
    const int asked = address_.asked;
    clock_.advance(kept - milliseconds(1));
    EXPECT_TRUE(knows("a"));
    EXPECT_EQ(address_.asked, asked);
    clock_.advance(milliseconds(1));
    EXPECT_TRUE(knows("a"));
    EXPECT_EQ(address_.asked, asked + 1);
  }
}

TEST_F(FetchedKeysTest, ThatAreUnknownAreAskedForOnceInAWhile) {
  answer("a");
  ASSERT_TRUE(knows("a"));
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(knows("made up"));
  EXPECT_EQ(address_.asked, 1);
  answer("b");
  clock_.advance(FetchedKeys::kShortestInterval);
  EXPECT_TRUE(knows("b"));
  EXPECT_FALSE(knows("a")) << "what the issuer withdrew";
  EXPECT_EQ(address_.asked, 2);
}

TEST_F(FetchedKeysTest, StayWhileTheAddressIsAwayButNotForEver) {
  be_away();
  EXPECT_TRUE(is_without_keys());
  EXPECT_TRUE(is_without_keys());
  EXPECT_EQ(address_.asked, 1);
  answer("a");
  clock_.advance(FetchedKeys::kShortestInterval);
  ASSERT_TRUE(knows("a"));
  be_away();
  clock_.advance(FetchedKeys::kLongestAbsence - milliseconds(1));
  EXPECT_TRUE(knows("a"));
  EXPECT_EQ(address_.asked, 3);
  clock_.advance(milliseconds(1));
  EXPECT_TRUE(is_without_keys());
}

TEST_F(FetchedKeysTest, AreNotReplacedByWhatIsNoKeySet) {
  answer("a");
  ASSERT_TRUE(knows("a"));
  address_.answer = [] { return FetchedText{"<html>", std::nullopt}; };
  clock_.advance(FetchedKeys::kDefaultAge);
  EXPECT_TRUE(knows("a"));
  EXPECT_EQ(address_.asked, 2);
}

TEST_F(FetchedKeysTest, AreAskedForByOneCallerWhileTheOthersDoNotWait) {
  answer("a");
  ASSERT_TRUE(knows("a"));
  clock_.advance(FetchedKeys::kDefaultAge);
  address_.answer = [&]() -> Result<FetchedText> {
    // Another caller comes meanwhile.
    std::thread([&] {
      EXPECT_TRUE(knows("a"));
      const auto unknown = keys_.keys_for("b");
      EXPECT_FALSE(unknown);
      EXPECT_EQ(unknown.error().code, FaultCode::kIdpCommunicationError);
    }).join();
    return FetchedText{key_set("b"), std::nullopt};
  };
  EXPECT_TRUE(knows("b"));
  EXPECT_EQ(address_.asked, 2);
}

TEST_F(FetchedKeysTest, AreAskedForAfterTheClockWasPutBack) {
  answer("a");
  ASSERT_TRUE(knows("a"));
  clock_.set(kStart - std::chrono::hours(1));
  EXPECT_FALSE(knows("b"));
  EXPECT_EQ(address_.asked, 2);
}

}  // namespace
}  // namespace keyhold::sts

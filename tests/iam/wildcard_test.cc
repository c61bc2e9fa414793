#include "iam/wildcard.h"

#include <gtest/gtest.h>

#include <string>

namespace keyhold::iam {
namespace {

bool matches(std::string_view pattern, std::string_view text) {
  return WildcardPattern::parse(pattern).matches(text);
}

// Every way to match, tried: slow and plainly right.
bool matches_by_trying(std::string_view pattern, std::string_view text) {
  if (pattern.empty()) return text.empty();
  if (pattern.front() == '*') {
    for (std::size_t skip = 0; skip <= text.size(); ++skip) {
      if (matches_by_trying(pattern.substr(1), text.substr(skip))) return true;
    }
    return false;
  }
  if (text.empty() || (pattern.front() != '?' && pattern.front() != text.front())) return false;
  return matches_by_trying(pattern.substr(1), text.substr(1));
}

TEST(Wildcard, AStarIsAnyTextAndAQuestionMarkOneCharacter) {
  EXPECT_TRUE(matches("*", ""));
  EXPECT_TRUE(matches("", ""));
  EXPECT_FALSE(matches("", "a"));
  EXPECT_FALSE(matches("?", ""));
  EXPECT_TRUE(matches("kms:*", "kms:Encrypt"));
  EXPECT_FALSE(matches("kms:*", "kmsx:Encrypt"));
  EXPECT_TRUE(matches("a*b*c", "a-b-b-c"));
  EXPECT_FALSE(matches("ab*ba", "aba"));
}

TEST(Wildcard, ACharacterOfSeveralBytesIsOneCharacter) {
  EXPECT_TRUE(matches("gr?n", "gr\xc3\xbcn"));
  EXPECT_FALSE(matches("gr??n", "gr\xc3\xbcn"));
  EXPECT_TRUE(matches("*\xc3\xbc*", "gr\xc3\xbcn"));
  EXPECT_FALSE(matches("*\xc3\xbc*", "gr\xc3\xb6n"));
  // A byte that belongs to no character is a character of its own, and no other.
  EXPECT_TRUE(matches("?", "\xbc"));
  EXPECT_FALSE(matches("\xc2\xbc", "\xbc"));
}

TEST(Wildcard, AgreesWithTryingEverythingOnAllShortPatterns) {
  const std::string_view letters = "ab*?";
  std::vector<std::string> patterns = {""};
  for (std::size_t i = 0; i < patterns.size() && patterns[i].size() < 5; ++i) {
    for (const char c : letters) patterns.push_back(patterns[i] + c);
  }
  std::vector<std::string> texts = {""};
  for (std::size_t i = 0; i < texts.size() && texts[i].size() < 6; ++i) {
    for (const char c : {'a', 'b'}) texts.push_back(texts[i] + c);
  }
  for (const std::string& pattern : patterns) {
    const auto compiled = WildcardPattern::parse(pattern);
    for (const std::string& text : texts) {
      ASSERT_EQ(compiled.matches(text), matches_by_trying(pattern, text)) << pattern << " " << text;
    }
  }
}

TEST(Wildcard, NoPatternTakesMoreThanTwoStepsACharacter) {
  const std::size_t size = 20'000;
  const std::string text(size, 'a');
  std::string stars;
  for (int i = 0; i < 5'000; ++i) stars += "*a";
  const std::string long_segment = "*" + std::string(9'000, 'a') + "b*";
  for (const std::string& pattern : {stars + "*b", stars + "*b*", long_segment,
                                     std::string("*") + std::string(5'000, 'a') + "*b*"}) {
    const auto outcome = WildcardPattern::parse(pattern).match(text);
    EXPECT_FALSE(outcome.matched);
    EXPECT_LE(outcome.steps, 2 * size + 1);
  }
}

TEST(Wildcard, AQuestionMarkCostsAStepForEach64CharactersBetweenTwoStars) {
  const std::size_t size = 20'000;
  const std::string text(size, 'a');
  const auto short_one = WildcardPattern::parse("*" + std::string(60, '?') + "b*").match(text);
  EXPECT_FALSE(short_one.matched);
  EXPECT_LE(short_one.steps, size);
  const auto long_one = WildcardPattern::parse("*" + std::string(6'399, '?') + "b*").match(text);
  EXPECT_FALSE(long_one.matched);
  EXPECT_LE(long_one.steps, size * 100);
}

TEST(Wildcard, SegmentsLongerThanAWordAreFoundAcrossItsBorder) {
  const std::string needle = std::string(70, 'a') + "?" + std::string(70, 'b');
  std::string hay = std::string(300, 'a') + "x" + std::string(300, 'b');
  EXPECT_TRUE(matches("*" + needle + "*", hay));
  hay[300 + 40] = 'c';
  EXPECT_FALSE(matches("*" + needle + "*", hay));
}

}  // namespace
}  // namespace keyhold::iam

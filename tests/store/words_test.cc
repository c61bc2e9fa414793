#include "store/words.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace keyhold::store {
namespace {

TEST(Words, EachIsReadBackFromItsOwnSpelling) {
  std::set<std::string_view> spellings;
  for (const auto kind :
       {IntentKind::kCreateKey, IntentKind::kRotateOnDemand, IntentKind::kRotateAutomatic}) {
    EXPECT_EQ(parse_word<IntentKind>(to_string(kind)), kind);
    spellings.insert(to_string(kind));
  }
  EXPECT_EQ(spellings.size(), 3U);
  spellings.clear();
  for (const auto status : {CredentialStatus::kActive, CredentialStatus::kDisabled}) {
    EXPECT_EQ(parse_word<CredentialStatus>(to_string(status)), status);
    spellings.insert(to_string(status));
  }
  EXPECT_EQ(spellings.size(), 2U);
}

TEST(Words, AForeignSpellingIsNoWord) {
  EXPECT_EQ(parse_word<IntentKind>("Create-Key"), std::nullopt);
  EXPECT_EQ(parse_word<IntentKind>(""), std::nullopt);
  EXPECT_EQ(parse_word<CredentialStatus>("active "), std::nullopt);
}

}  // namespace
}  // namespace keyhold::store

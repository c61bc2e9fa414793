#include "store/words.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace keyhold::store {
namespace {

TEST(Words, EachIsReadBackFromItsOwnSpelling) {
  std::set<std::string_view> spellings;
  for (const auto kind : {IntentKind::kCreateKey, IntentKind::kRotateOnDemand,
                          IntentKind::kRotateAutomatic, IntentKind::kImportKeyMaterial}) {
    EXPECT_EQ(parse_word<IntentKind>(to_string(kind)), kind);
    spellings.insert(to_string(kind));
  }
  EXPECT_EQ(spellings.size(), 4U);
  spellings.clear();
  for (const auto status : {CredentialStatus::kActive, CredentialStatus::kDisabled}) {
    EXPECT_EQ(parse_word<CredentialStatus>(to_string(status)), status);
    spellings.insert(to_string(status));
  }
  EXPECT_EQ(spellings.size(), 2U);
  spellings.clear();
  for (const auto presence : {MaterialPresence::kPresent, MaterialPresence::kDeleting,
                              MaterialPresence::kExpiring, MaterialPresence::kAbsent}) {
    EXPECT_EQ(parse_word<MaterialPresence>(to_string(presence)), presence);
    spellings.insert(to_string(presence));
  }
  for (const auto standing : {MaterialStanding::kPermanent, MaterialStanding::kPendingRotation}) {
    EXPECT_EQ(parse_word<MaterialStanding>(to_string(standing)), standing);
    spellings.insert(to_string(standing));
  }
  EXPECT_EQ(spellings.size(), 6U);
}

TEST(Words, StatesOfCustodyKeysAreReadBackFromTheirOwnSpellings) {
  std::set<std::string_view> spellings;
  for (const auto state : {CustodyKeyState::kIntended, CustodyKeyState::kCurrent,
                           CustodyKeyState::kRetiring, CustodyKeyState::kDestroying}) {
    EXPECT_EQ(parse_word<CustodyKeyState>(to_string(state)), state);
    spellings.insert(to_string(state));
  }
  EXPECT_EQ(spellings.size(), 4U);
}

TEST(Words, AForeignSpellingIsNoWord) {
  EXPECT_EQ(parse_word<IntentKind>("Create-Key"), std::nullopt);
  EXPECT_EQ(parse_word<IntentKind>(""), std::nullopt);
  EXPECT_EQ(parse_word<CredentialStatus>("active "), std::nullopt);
}

}  // namespace
}  // namespace keyhold::store

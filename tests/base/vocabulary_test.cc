#include "base/vocabulary.h"

#include <gtest/gtest.h>

#include "base/key_spec.h"

namespace keyhold {
namespace {

template <typename Word>
void expect_round_trip(std::initializer_list<Word> words) {
  for (const Word word : words) {
    const auto parsed = parse_word<Word>(to_string(word));
    ASSERT_TRUE(parsed);
    EXPECT_EQ(*parsed, word);
  }
  EXPECT_FALSE(parse_word<Word>(""));
  EXPECT_FALSE(parse_word<Word>("nonsense"));
}

TEST(Vocabulary, EverySpellingStandsForItsWord) {
  for (const KeySpecRow& row : key_spec_rows()) expect_round_trip({row.spec});
  for (const AlgorithmRow& row : algorithm_rows()) expect_round_trip({row.algorithm});
  expect_round_trip({KeyUsage::kEncryptDecrypt, KeyUsage::kSignVerify, KeyUsage::kGenerateVerifyMac,
                     KeyUsage::kKeyAgreement});
  expect_round_trip({MessageType::kRaw, MessageType::kDigest, MessageType::kExternalMu});
  expect_round_trip({KeyOrigin::kAwsKms, KeyOrigin::kExternal});
  expect_round_trip({KeyState::kEnabled, KeyState::kDisabled, KeyState::kPendingDeletion,
                     KeyState::kPendingImport});
  expect_round_trip({WrappingAlgorithm::kRsaesOaepSha1, WrappingAlgorithm::kRsaesOaepSha256,
                     WrappingAlgorithm::kRsaAesKeyWrapSha1,
                     WrappingAlgorithm::kRsaAesKeyWrapSha256});
  expect_round_trip({RotationType::kAutomatic, RotationType::kOnDemand});
  expect_round_trip({Custody::kResident, Custody::kHostStaged, Custody::kImported});
  expect_round_trip({Construction::kNative, Construction::kEcbDerived, Construction::kDirect});
}

TEST(Vocabulary, SpellsAwsWordsAsOnTheWire) {
  EXPECT_EQ(to_string(KeyState::kPendingDeletion), "PendingDeletion");
  EXPECT_EQ(to_string(RotationType::kOnDemand), "ON_DEMAND");
  EXPECT_EQ(to_string(KeyOrigin::kAwsKms), "AWS_KMS");
  EXPECT_FALSE(parse_word<KeyState>("enabled"));
}

}  // namespace
}  // namespace keyhold

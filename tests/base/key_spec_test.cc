#include "base/key_spec.h"

#include <gtest/gtest.h>

namespace keyhold {
namespace {

TEST(KeySpecs, EveryAlgorithmOfASpecGoesWithOneOfItsUsages) {
  for (const KeySpecRow& row : key_spec_rows()) {
    SCOPED_TRACE(to_string(row.spec));
    for (const Algorithm algorithm : row.algorithms) {
      EXPECT_TRUE(row.usages.contains(row_of(algorithm).usage)) << to_string(algorithm);
    }
  }
}

TEST(KeySpecs, EveryUsageOfASpecHasAnAlgorithm) {
  for (const KeySpecRow& row : key_spec_rows()) {
    for (const KeyUsage usage : row.usages) {
      EXPECT_FALSE(algorithms_of(row.spec, usage).empty())
          << to_string(row.spec) << " " << to_string(usage);
    }
  }
}

TEST(KeySpecs, EveryAlgorithmIsOfSomeSpec) {
  for (const AlgorithmRow& row : algorithm_rows()) {
    bool used = false;
    for (const KeySpecRow& spec : key_spec_rows()) used |= spec.algorithms.contains(row.algorithm);
    EXPECT_TRUE(used) << to_string(row.algorithm);
  }
}

TEST(KeySpecs, AlgorithmsOfOneUsageAreNotMixedWithThoseOfAnother) {
  const std::vector<Algorithm> expected = {Algorithm::kRsaesOaepSha1, Algorithm::kRsaesOaepSha256};
  EXPECT_EQ(algorithms_of(KeySpec::kRsa2048, KeyUsage::kEncryptDecrypt), expected);
  EXPECT_EQ(algorithms_of(KeySpec::kRsa2048, KeyUsage::kSignVerify).size(), 6U);
  EXPECT_EQ(algorithms_of(KeySpec::kEccNistP256, KeyUsage::kKeyAgreement),
            std::vector<Algorithm>{Algorithm::kEcdh});
}

// Developer guide, "Asymmetric key specs": the maximum plaintext in bytes.
TEST(KeySpecs, OaepHoldsAsManyBytesAsTheGuideSays) {
  const auto most = [](KeySpec spec, Algorithm algorithm) {
    return max_oaep_message(row_of(spec), row_of(algorithm));
  };
  EXPECT_EQ(most(KeySpec::kRsa2048, Algorithm::kRsaesOaepSha1), 214U);
  EXPECT_EQ(most(KeySpec::kRsa2048, Algorithm::kRsaesOaepSha256), 190U);
  EXPECT_EQ(most(KeySpec::kRsa3072, Algorithm::kRsaesOaepSha1), 342U);
  EXPECT_EQ(most(KeySpec::kRsa3072, Algorithm::kRsaesOaepSha256), 318U);
  EXPECT_EQ(most(KeySpec::kRsa4096, Algorithm::kRsaesOaepSha1), 470U);
  EXPECT_EQ(most(KeySpec::kRsa4096, Algorithm::kRsaesOaepSha256), 446U);
}

TEST(Algorithms, ADigestIsAsLongAsTheHashThatSignsIt) {
  for (const AlgorithmRow& row : algorithm_rows()) {
    if (!row.message_types.contains(MessageType::kDigest) || row.hash == Hash::kNone) continue;
    EXPECT_EQ(row.digest_size, hash_size(row.hash)) << to_string(row.algorithm);
  }
}

}  // namespace
}  // namespace keyhold

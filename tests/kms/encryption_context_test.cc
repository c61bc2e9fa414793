#include "kms/encryption_context.h"

#include <gtest/gtest.h>

#include <map>
#include <string>

namespace keyhold::kms {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;

Bytes canonical(const Pairs& pairs) {
  const auto context = EncryptionContext::from_pairs(pairs);
  EXPECT_TRUE(context.has_value());
  Bytes bytes;
  context->append_canonical(bytes);
  return bytes;
}

TEST(EncryptionContext, HasTheSameBytesInWhateverOrderItsPairsCame) {
  const Pairs sorted{{"a", "1"}, {"b", "2"}, {"c", "3"}};
  EXPECT_EQ(canonical({{"c", "3"}, {"a", "1"}, {"b", "2"}}), canonical(sorted));
  EXPECT_EQ(EncryptionContext::from_pairs({{"b", "2"}, {"a", "1"}})->pairs(),
            (Pairs{{"a", "1"}, {"b", "2"}}));
}

TEST(EncryptionContext, IsSortedByTheBytesOfUtf8NotByAnyLocale) {
  // U+E000 sorts before U+1F511 in UTF-8 and after it in UTF-16.
  const auto context = EncryptionContext::from_pairs(
      {{"\xf0\x9f\x94\x91", ""}, {"\xee\x80\x80", ""}, {"b", ""}, {"B", ""}, {"\xc3\xa4", ""}});
  ASSERT_TRUE(context);
  std::string order;
  for (const auto& [name, value] : context->pairs()) order += name + " ";
  EXPECT_EQ(order, "B b \xc3\xa4 \xee\x80\x80 \xf0\x9f\x94\x91 ");
}

TEST(EncryptionContext, OfTwoDifferentSetsNeverHasTheSameBytes) {
  // Every set of up to two pairs over texts that are made to be confused with lengths, counts and
  // each other.
  const std::string zero(1, '\0');
  const std::vector<std::string> texts{
      "", "a", "b", "ab", "aa", zero, zero + zero, zero + zero + zero + "\x01", "a" + zero, "\x01"};
  std::map<Bytes, Pairs> seen;
  const auto add = [&](Pairs pairs) {
    std::sort(pairs.begin(), pairs.end());
    const auto [at, is_new] = seen.emplace(canonical(pairs), pairs);
    EXPECT_TRUE(is_new || at->second == pairs);
  };
  add({});
  for (const auto& name : texts) {
    for (const auto& value : texts) {
      add({{name, value}});
      for (const auto& other : texts) {
        if (other == name) continue;
        for (const auto& more : texts) add({{name, value}, {other, more}});
      }
    }
  }
  EXPECT_GT(seen.size(), 4000U);
}

TEST(EncryptionContext, MovesNoByteBetweenNameAndValue) {
  EXPECT_NE(canonical({{"ab", "c"}}), canonical({{"a", "bc"}}));
  EXPECT_NE(canonical({{"a", "b"}, {"c", "d"}}), canonical({{"a", "bcd"}}));
  EXPECT_NE(canonical({{"a", ""}}), canonical({{"", "a"}}));
  EXPECT_NE(canonical({}), canonical({{"", ""}}));
}

TEST(EncryptionContext, AppendsToWhatIsThere) {
  Bytes bytes{0xff};
  EncryptionContext().append_canonical(bytes);
  EXPECT_EQ(bytes, (Bytes{0xff, 0, 0, 0, 0}));
}

TEST(EncryptionContext, MayBeAsLargeAsTheLimitAndNoLarger) {
  // 4 bytes of count; 8 of lengths and 1 of name for the pair.
  const std::size_t most = EncryptionContext::kMaxCanonicalSize - 4 - 8 - 1;
  EXPECT_EQ(canonical({{"n", std::string(most, 'v')}}).size(),
            EncryptionContext::kMaxCanonicalSize);
  const auto larger = EncryptionContext::from_pairs({{"n", std::string(most + 1, 'v')}});
  ASSERT_FALSE(larger);
  EXPECT_EQ(larger.error().code(), ErrorCode::kValidation);
}

}  // namespace
}  // namespace keyhold::kms

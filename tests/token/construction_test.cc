#include "token/construction.h"

#include <gtest/gtest.h>

#include <set>

namespace keyhold::token {
namespace {

TEST(ConstructionTest, NoTwoBlocksOfAnyPurposeAreEqual) {
  std::set<Bytes> blocks;
  EcbSalt salt{};
  salt[3] = 9;
  for (const EcbSalt& input : {kZeroSalt, salt}) {
    for (const Purpose purpose : {Purpose::kMessage, Purpose::kCheck, Purpose::kHeader}) {
      const auto data = derivation_data(purpose, input);
      blocks.insert(Bytes(data.begin(), data.begin() + 16));
      blocks.insert(Bytes(data.begin() + 16, data.end()));
    }
  }
  EXPECT_EQ(blocks.size(), 12U);
}

TEST(ConstructionTest, HeaderMessagesOfDifferentSubjectsDifferEvenWhereTheBytesRunOn) {
  EcbSalt one{};
  EXPECT_NE(header_message(as_bytes("ab"), one), header_message(as_bytes("a"), one));
  EcbSalt shifted{};
  shifted[0] = 'b';
  EXPECT_NE(header_message(as_bytes("a"), shifted), header_message(as_bytes("ab"), one));
}

}  // namespace
}  // namespace keyhold::token

#include "base/bytes.h"

#include <gtest/gtest.h>

namespace keyhold {
namespace {

TEST(Hex, IsLowerCaseAndBringsEveryByteBack) {
  Bytes all;
  for (int value = 0; value < 256; ++value) all.push_back(static_cast<std::uint8_t>(value));
  const std::string text = to_hex(all);
  EXPECT_TRUE(text.starts_with("000102"));
  EXPECT_TRUE(text.ends_with("fdfeff"));
  EXPECT_EQ(from_hex(text), all);
}

TEST(Hex, RefusesUpperCaseOddLengthsAndForeignCharacters) {
  for (const std::string_view text : {"A0", "0", "000", "0g", "g0", "0x", " 0", "0\n"}) {
    EXPECT_FALSE(from_hex(text)) << text;
  }
  EXPECT_EQ(from_hex(""), Bytes{});
}

TEST(ConstantTimeEquality, TellsEveryDifferenceInOneBitAndInLength) {
  const Bytes a(33, 0xa5);
  EXPECT_TRUE(equal_in_constant_time(a, Bytes(a)));
  for (std::size_t at = 0; at < a.size(); ++at) {
    for (int bit = 0; bit < 8; ++bit) {
      Bytes b = a;
      b[at] = static_cast<std::uint8_t>(b[at] ^ (1 << bit));
      EXPECT_FALSE(equal_in_constant_time(a, b));
    }
  }
  EXPECT_FALSE(equal_in_constant_time(a, ByteView(a).first(32)));
  EXPECT_TRUE(equal_in_constant_time({}, {}));
}

}  // namespace
}  // namespace keyhold

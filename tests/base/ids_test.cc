#include "base/ids.h"

#include <gtest/gtest.h>

#include <set>
#include <unordered_set>

namespace keyhold {
namespace {

/// Hands out one byte value forever.
class ConstantRandom final : public Random {
 public:
  explicit ConstantRandom(std::uint8_t value) : value_(value) {}
  void fill(std::span<std::uint8_t> out) override {
    for (auto& byte : out) byte = value_;
  }

 private:
  std::uint8_t value_;
};

TEST(ObjectName, IsAsLongAsAKeyMaterialIdAndComesBackFromBytesAndHex) {
  SystemRandom random;
  const ObjectName name = ObjectName::draw(random);
  EXPECT_EQ(name.hex().size(), 64U);
  EXPECT_EQ(ObjectName::from_hex(name.hex()), name);
  EXPECT_EQ(ObjectName::from_bytes(name.bytes()), name);
}

TEST(ObjectName, TakesNothingOfAnotherLengthOrForm) {
  EXPECT_FALSE(ObjectName::from_bytes(Bytes(31)));
  EXPECT_FALSE(ObjectName::from_bytes(Bytes(33)));
  EXPECT_FALSE(ObjectName::from_bytes({}));
  EXPECT_FALSE(ObjectName::from_hex(std::string(63, 'a')));
  EXPECT_FALSE(ObjectName::from_hex(std::string(62, 'a')));
  EXPECT_FALSE(ObjectName::from_hex(std::string(64, 'A')));
  EXPECT_TRUE(ObjectName::from_hex(std::string(64, 'a')));
}

TEST(ObjectName, IsNotDrawnTwice) {
  SystemRandom random;
  std::unordered_set<ObjectName> names;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(names.insert(ObjectName::draw(random)).second);
}

TEST(Uuid, HasVersionFourAndItsVariantWhateverTheBytesAre) {
  for (const int value : {0x00, 0xff, 0x5a}) {
    ConstantRandom random(static_cast<std::uint8_t>(value));
    const std::string id = draw_uuid(random);
    EXPECT_TRUE(is_uuid(id)) << id;
    EXPECT_EQ(id[14], '4') << id;
    EXPECT_NE(std::string_view("89ab").find(id[19]), std::string_view::npos) << id;
  }
}

TEST(Uuid, IsNotDrawnTwice) {
  SystemRandom random;
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) EXPECT_TRUE(ids.insert(draw_uuid(random)).second);
}

TEST(Uuid, IsRecognisedByItsFormInEitherCase) {
  EXPECT_TRUE(is_uuid("1234abcd-12ab-34cd-56ef-1234567890ab"));
  EXPECT_TRUE(is_uuid("1234ABCD-12AB-34CD-56EF-1234567890AB"));
  for (const std::string_view text :
       {"", "1234abcd12ab34cd56ef1234567890ab", "1234abcd-12ab-34cd-56ef-1234567890a",
        "1234abcd-12ab-34cd-56ef-1234567890abc", "1234abcd-12ab-34cd-56ef1-234567890ab",
        "1234abcg-12ab-34cd-56ef-1234567890ab", "1234abcd_12ab-34cd-56ef-1234567890ab",
        "{1234abcd-12ab-34cd-56ef-1234567890}",
        "1234abcd-12ab-34cd-56ef-12345678\xc3\xbc"
        "ab"}) {
    EXPECT_FALSE(is_uuid(text)) << text;
  }
}

TEST(SystemRandom, FillsAllOfABuffer) {
  SystemRandom random;
  // A byte that stays zero in 64 draws is one that is never written.
  std::array<std::uint8_t, 300> seen{};
  for (int i = 0; i < 64; ++i) {
    std::array<std::uint8_t, 300> drawn{};
    random.fill(drawn);
    for (std::size_t at = 0; at < drawn.size(); ++at) seen[at] |= drawn[at];
  }
  for (const std::uint8_t byte : seen) EXPECT_NE(byte, 0);
}

}  // namespace
}  // namespace keyhold

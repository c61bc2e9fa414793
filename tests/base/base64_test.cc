#include "base/base64.h"

#include <gtest/gtest.h>

#include <array>
#include <string>

namespace keyhold {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

TEST(Base64, MatchesTheVectorsOfRfc4648Section10) {
  constexpr std::array<std::array<std::string_view, 2>, 7> kVectors{{{"", ""},
                                                                     {"f", "Zg=="},
                                                                     {"fo", "Zm8="},
                                                                     {"foo", "Zm9v"},
                                                                     {"foob", "Zm9vYg=="},
                                                                     {"fooba", "Zm9vYmE="},
                                                                     {"foobar", "Zm9vYmFy"}}};
  for (const auto& [plain, encoded] : kVectors) {
    EXPECT_EQ(to_base64(as_bytes(plain)), encoded);
    const auto decoded = from_base64(encoded);
    ASSERT_TRUE(decoded) << encoded;
    EXPECT_EQ(as_text(*decoded), plain);
  }
}

TEST(Base64, BringsBackEveryByteAtEveryPlaceInAGroup) {
  for (std::size_t size = 1; size <= 4; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      for (int value = 0; value < 256; ++value) {
        Bytes bytes(size, 0x5a);
        bytes[at] = static_cast<std::uint8_t>(value);
        ASSERT_EQ(from_base64(to_base64(bytes)), bytes);
      }
    }
  }
}

TEST(Base64, TakesNoTwoTextsForTheSameBytes) {
  // Every text of one group that decodes is the one its bytes encode to.
  std::string symbols(kAlphabet);
  symbols += "=\n -_";
  for (const char c : symbols) {
    for (const char d : symbols) {
      for (const char e : {'A', 'B', 'Q', '=', 'w'}) {
        for (const char f : {'A', 'C', '=', '8'}) {
          const std::string text{c, d, e, f};
          const auto decoded = from_base64(text);
          if (decoded) {
            ASSERT_EQ(to_base64(*decoded), text);
          }
        }
      }
    }
  }
}

TEST(Base64, RefusesWhatIsNotStrictlyEncoded) {
  for (const std::string_view text :
       {"Z",    "Zg",   "Zg=",   "Zg===",  "Zg==Zg==", "=",         "====",
        "Z===", "=Zg=", "Zm9v=", "Zm9v\n", " Zm9v",    "Zm 9v",     "Zm9v Zm9v",
        "Zm9-", "Zm9_", "Zh==",  "Zm9=",   "Zm8=Zm8=", "Zm\xc3\xbc"}) {
    EXPECT_FALSE(from_base64(text)) << text;
    EXPECT_FALSE(secret_from_base64(text)) << text;
  }
  using std::string_view_literals::operator""sv;
  EXPECT_FALSE(from_base64("Zm\0v"sv));
  EXPECT_FALSE(from_base64("Zg==\0"sv));
  EXPECT_FALSE(from_base64("Zg=\0"sv));
}

TEST(Base64, DecodesASecretToTheSameBytes) {
  const auto secret = secret_from_base64("Zm9vYmE=");
  ASSERT_TRUE(secret);
  EXPECT_EQ(secret->text(), "fooba");
}

}  // namespace
}  // namespace keyhold

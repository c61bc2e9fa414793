#include "audit/utf8.h"

#include <gtest/gtest.h>

namespace keyhold::audit {
namespace {

TEST(ValidUtf8, KeepsWellFormedText) {
  for (const std::string text : {"", "plain", "caf\xc3\xa9", "\xe1\x88\xb4", "\xf0\x9f\x94\x91",
                                 "\xf4\x8f\xbf\xbf", "\xed\x9f\xbf", "\xee\x80\x80"})
    EXPECT_EQ(valid_utf8(text), text);
}

TEST(ValidUtf8, ReplacesEveryForeignByteOfTextThatIsNot) {
  EXPECT_EQ(valid_utf8("a\xff"), "a?");
  EXPECT_EQ(valid_utf8("caf\xc3"), "caf?");
  for (const std::string text : {"\xc0\x80", "\xe0\x80\x80", "\xed\xa0\x80", "\xf0\x80\x80\x80",
                                 "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\x80", "\xe1\x88"})
    EXPECT_EQ(valid_utf8(text), std::string(text.size(), '?'));
  EXPECT_EQ(valid_utf8("caf\xc3\xa9 \xff"), "caf?\? ?");
}

}  // namespace
}  // namespace keyhold::audit

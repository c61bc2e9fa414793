#include "base/json.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace keyhold::json {
namespace {

/// A text and what was parsed from it, in that order of life. The buffer is exactly as long as the
/// text, so that a byte read beyond it is seen by a sanitizer.
struct Parsed {
  explicit Parsed(std::string_view from)
      : text(as_bytes(from).begin(), as_bytes(from).end()), document(Document::parse(text)) {}
  Bytes text;
  Result<Document> document;

  Value root() const { return document->root(); }
  bool ok() const { return document.has_value(); }
};

std::string nested(std::size_t depth, std::string_view open, std::string_view close) {
  std::string text;
  for (std::size_t i = 0; i < depth; ++i) text += open;
  for (std::size_t i = 0; i < depth; ++i) text += close;
  return text;
}

TEST(JsonParse, WritesNothingBeyondATextThatEndsInsideACharacter) {
  for (const std::string_view text : {"{\"a\":\"\xf3", "\"\xf0\x90", "\"\xe2\x82", "\"\xc3"}) {
    for (const std::string_view rest : {"\"}", "\"", ""}) {
      const std::string cut = std::string(text) + std::string(rest);
      std::string buffer = cut + "guard";
      EXPECT_FALSE(Document::parse({reinterpret_cast<std::uint8_t*>(buffer.data()), cut.size()}));
      EXPECT_EQ(buffer.substr(cut.size()), "guard") << cut;
    }
  }
}

TEST(JsonParse, ReadsEveryType) {
  const Parsed parsed(R"( {"n":null,"t":true,"f":false,"s":"x","i":-7,"d":1.5,"a":[1,2],"o":{}} )");
  ASSERT_TRUE(parsed.ok());
  const Value root = parsed.root();
  EXPECT_EQ(root.type(), Value::Type::kObject);
  EXPECT_EQ(root.size(), 8U);
  EXPECT_EQ(root.member("n")->type(), Value::Type::kNull);
  EXPECT_EQ(root.member("t")->type(), Value::Type::kTrue);
  EXPECT_EQ(root.member("f")->type(), Value::Type::kFalse);
  EXPECT_EQ(root.member("t")->boolean(), true);
  EXPECT_EQ(root.member("f")->boolean(), false);
  EXPECT_EQ(root.member("s")->string(), "x");
  EXPECT_EQ(root.member("i")->integer(), -7);
  EXPECT_EQ(root.member("d")->number(), 1.5);
  EXPECT_EQ(root.member("a")->size(), 2U);
  EXPECT_EQ(root.member("a")->element(1).integer(), 2);
  EXPECT_EQ(root.member("o")->type(), Value::Type::kObject);
  EXPECT_FALSE(root.member("missing"));
}

TEST(JsonParse, AnswersAWrongTypeWithNothing) {
  const Parsed parsed(R"(["text",1,true,null,{},[]])");
  ASSERT_TRUE(parsed.ok());
  for (std::size_t i = 0; i < parsed.root().size(); ++i) {
    const Value value = parsed.root().element(i);
    EXPECT_EQ(value.string().has_value(), i == 0);
    EXPECT_EQ(value.integer().has_value(), i == 1);
    EXPECT_EQ(value.number().has_value(), i == 1);
    EXPECT_EQ(value.boolean().has_value(), i == 2);
    EXPECT_FALSE(value.member("x"));
    EXPECT_EQ(value.size(), 0U);
    int visited = 0;
    value.for_each_member([&](std::string_view, Value) { return ++visited > 0; });
    EXPECT_EQ(visited, 0);
  }
}

TEST(JsonParse, VisitsMembersInTheTextsOrderUntilToldToStop) {
  const Parsed parsed(R"({"b":1,"a":2,"c":3})");
  ASSERT_TRUE(parsed.ok());
  std::string names;
  parsed.root().for_each_member([&](std::string_view name, Value) {
    names += name;
    return name != "a";
  });
  EXPECT_EQ(names, "ba");
}

TEST(JsonParse, AllowsTheGreatestDepthAndRefusesOneMore) {
  EXPECT_TRUE(Parsed(nested(kMaxDepth, "[", "]")).ok());
  EXPECT_FALSE(Parsed(nested(kMaxDepth + 1, "[", "]")).ok());
  EXPECT_TRUE(Parsed(nested(kMaxDepth - 1, "{\"a\":", "}").insert(5 * (kMaxDepth - 1), "1")).ok());
  const std::string object = nested(kMaxDepth, "{\"a\":[", "]}");
  EXPECT_FALSE(Parsed(object).ok());
  // Depth is what is open at once, not what was ever opened.
  std::string wide = "[";
  for (std::size_t i = 0; i < 10 * kMaxDepth; ++i) wide += i == 0 ? "[]" : ",[]";
  EXPECT_TRUE(Parsed(wide + "]").ok());
}

TEST(JsonParse, RefusesAVeryDeepTextWithoutUsingUpTheStack) {
  EXPECT_FALSE(Parsed(std::string(1'000'000, '[')).ok());
  EXPECT_FALSE(Parsed(nested(200'000, "{\"a\":", "}")).ok());
}

TEST(JsonParse, RefusesAnObjectThatNamesAMemberTwice) {
  EXPECT_FALSE(Parsed(R"({"a":1,"a":1})").ok());
  EXPECT_FALSE(Parsed(R"({"a":1,"b":2,"a":3})").ok());
  EXPECT_FALSE(Parsed(R"([{"x":{"k":1,"k":2}}])").ok());
  EXPECT_FALSE(Parsed(R"({"":1,"":2})").ok());
}

TEST(JsonParse, RefusesAMemberNamedTwiceInDifferentSpellings) {
  EXPECT_FALSE(Parsed(R"({"a":1,"\u0061":2})").ok());
  EXPECT_FALSE(Parsed("{\"\xc3\xbc\":1,\"\\u00fc\":2}").ok());
  EXPECT_FALSE(Parsed(R"({"\/":1,"/":2})").ok());
}

TEST(JsonParse, AllowsOneNameInDifferentObjectsAndCases) {
  EXPECT_TRUE(Parsed(R"({"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}],"A":3})").ok());
  EXPECT_TRUE(Parsed(R"({"a":1,"a\u0000":2})").ok());
}

TEST(JsonParse, RefusesTextThatIsNotValidUtf8) {
  for (const std::string_view bad : {
           "\x80",              // a continuation alone
           "\xc3",              // half a character
           "\xc0\xaf",          // '/' in two bytes
           "\xe0\x80\xaf",      // '/' in three
           "\xed\xa0\x80",      // a surrogate
           "\xf4\x90\x80\x80",  // beyond U+10FFFF
           "\xff",
       }) {
    const std::string text = "\"" + std::string(bad) + "\"";
    EXPECT_FALSE(Parsed(text).ok()) << to_hex(as_bytes(bad));
    EXPECT_FALSE(Parsed("{" + text + ":1}").ok()) << to_hex(as_bytes(bad));
  }
  EXPECT_FALSE(Parsed("\"\xc3").ok());
  EXPECT_TRUE(Parsed("\"\xf0\x9f\x94\x91\"").ok());
}

TEST(JsonParse, RefusesEscapesThatStandForNoCharacter) {
  EXPECT_FALSE(Parsed(R"("\ud800")").ok());
  EXPECT_FALSE(Parsed(R"("\ud800\u0041")").ok());
  EXPECT_FALSE(Parsed(R"("\udc00")").ok());
  EXPECT_FALSE(Parsed(R"("\x41")").ok());
  EXPECT_FALSE(Parsed(R"("\u12g4")").ok());
  const Parsed key(R"("\ud83d\udd11")");
  ASSERT_TRUE(key.ok());
  EXPECT_EQ(key.root().string(), "\xf0\x9f\x94\x91");
}

TEST(JsonParse, RefusesAnythingAfterTheOneValue) {
  for (const std::string_view text : {"{}x", "{}{}", "1 2", "[],", "{} \x01", "null//"}) {
    EXPECT_FALSE(Parsed(text).ok()) << text;
  }
  using std::string_view_literals::operator""sv;
  EXPECT_FALSE(Parsed("{}\0"sv).ok());
  EXPECT_FALSE(Parsed("{}\0{}"sv).ok());
  EXPECT_TRUE(Parsed("{} \t\r\n").ok());
}

TEST(JsonParse, RefusesWhatIsNotJson) {
  for (const std::string_view text : {"",         " ",
                                      "{",        "}",
                                      "[1,]",     "{\"a\":1,}",
                                      "{a:1}",    "{'a':1}",
                                      "nul",      "tru",
                                      "NaN",      "Infinity",
                                      "01",       "+1",
                                      ".5",       "1.",
                                      "1e",       "0x10",
                                      "\"abc",    "\"a\nb\"",
                                      "/*x*/1",   "\xef\xbb\xbf{}",
                                      "[1 2]",    "{\"a\" 1}",
                                      "{\"a\":}", "{1:2}"}) {
    EXPECT_FALSE(Parsed(text).ok()) << text;
  }
  using std::string_view_literals::operator""sv;
  EXPECT_FALSE(Parsed("\0"sv).ok());
  EXPECT_FALSE(Parsed("{\"a\"\0:1}"sv).ok());
}

TEST(JsonParse, RefusesWithSerializationExceptionAndNoMessage) {
  const Parsed parsed("{");
  ASSERT_FALSE(parsed.ok());
  EXPECT_EQ(parsed.document.error().code(), ErrorCode::kSerialization);
  EXPECT_EQ(parsed.document.error().message(), "");
}

TEST(JsonParse, CutAnywhereIsRefusedWithoutReadingBeyondTheEnd) {
  const std::string whole = "{\"a\":[\"b\\u00fc\xc3\xbc\",1.5e3,true,null],\"c\":{\"d\":\"e\\n\"}}";
  ASSERT_TRUE(Parsed(whole).ok());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(Parsed(std::string_view(whole).substr(0, size)).ok()) << size;
  }
}

TEST(JsonParse, KeepsEveryStringInTheBufferItCameIn) {
  Parsed parsed(R"({"Plaintext":"c2VjcmV0","b":"with\nescapes\u0041 and more"})");
  ASSERT_TRUE(parsed.ok());
  const auto within = [&](std::string_view text) {
    const auto* begin = reinterpret_cast<const char*>(parsed.text.data());
    return text.data() >= begin && text.data() + text.size() <= begin + parsed.text.size();
  };
  EXPECT_TRUE(within(*parsed.root().member("Plaintext")->string()));
  const auto longer = *parsed.root().member("b")->string();
  EXPECT_EQ(longer, "with\nescapesA and more");
  EXPECT_TRUE(within(longer));
  parsed.root().for_each_member([&](std::string_view name, Value) {
    EXPECT_TRUE(within(name));
    return true;
  });
}

TEST(JsonParse, KeepsShortStringsInTheBufferToo) {
  // RapidJSON would copy strings of up to 13 characters into its own nodes, which nobody wipes.
  Parsed parsed(R"(["pin"])");
  ASSERT_TRUE(parsed.ok());
  const auto pin = *parsed.root().element(0).string();
  EXPECT_EQ(pin.data(), reinterpret_cast<const char*>(parsed.text.data()) + 2);
}

TEST(JsonParse, KeepsZeroCharactersInStrings) {
  const Parsed parsed(R"("a\u0000b")");
  ASSERT_TRUE(parsed.ok());
  using std::string_view_literals::operator""sv;
  EXPECT_EQ(parsed.root().string(), "a\0b"sv);
}

std::optional<std::int64_t> integer_of(std::string_view text) {
  const Parsed parsed(text);
  if (!parsed.ok()) return std::nullopt;
  return parsed.root().integer();
}

TEST(JsonNumbers, AreIntegersExactlyWhereTheyNameOne) {
  EXPECT_EQ(integer_of("0"), 0);
  EXPECT_EQ(integer_of("-0"), 0);
  EXPECT_EQ(integer_of("9223372036854775807"), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(integer_of("-9223372036854775808"), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(integer_of("365.0"), 365);
  EXPECT_EQ(integer_of("3.65e2"), 365);
  for (const std::string_view text : {"9223372036854775808", "18446744073709551615",
                                      "-9223372036854775809", "1.5", "365.5", "1e-1", "1e300"}) {
    EXPECT_FALSE(integer_of(text)) << text;
  }
}

TEST(JsonNumbers, ThatNoDoubleHoldsAreRefused) {
  EXPECT_FALSE(Parsed("1e400").ok());
  EXPECT_FALSE(Parsed("-1e400").ok());
}

TEST(JsonWriter, WritesWhatTheParserReadsBack) {
  Writer writer;
  const std::string text = "quote\" backslash\\ line\n tab\t zero" + std::string(1, '\0') +
                           "\x01 u\xc3\xbc \xf0\x9f\x94\x91 </script>";
  writer.begin_object().key("te\"xt").string(text).key("list").begin_array();
  writer.integer(std::numeric_limits<std::int64_t>::min()).boolean(true).boolean(false).null();
  writer.raw("1795531445.123").end_array().end_object();
  const Parsed parsed(writer.text());
  ASSERT_TRUE(parsed.ok()) << writer.text();
  EXPECT_EQ(parsed.root().member("te\"xt")->string(), text);
  const Value list = *parsed.root().member("list");
  ASSERT_EQ(list.size(), 5U);
  EXPECT_EQ(list.element(0).integer(), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(list.element(1).boolean(), true);
  EXPECT_EQ(list.element(2).boolean(), false);
  EXPECT_EQ(list.element(3).type(), Value::Type::kNull);
  EXPECT_EQ(list.element(4).number(), 1795531445.123);
}

TEST(JsonWriter, EscapesWhateverByteStandsWhereverInAString) {
  for (int byte = 0; byte < 0x80; ++byte) {
    for (std::size_t at = 0; at < 20; ++at) {
      std::string text(20, 'a');
      text[at] = static_cast<char>(byte);
      Writer writer;
      writer.begin_array().string(text).end_array();
      const Parsed parsed(writer.text());
      ASSERT_TRUE(parsed.ok()) << writer.text();
      EXPECT_EQ(parsed.root().element(0).string(), text);
    }
  }
}

TEST(JsonWriter, IsCompactAndGivesTheSameTextAsASecret) {
  Writer writer;
  writer.begin_object().key("a").begin_array().integer(1).end_array().end_object();
  EXPECT_EQ(writer.text(), R"({"a":[1]})");
  EXPECT_EQ(writer.take_secret().text(), writer.text());
}

}  // namespace
}  // namespace keyhold::json

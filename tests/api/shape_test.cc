#include "api/shape.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "api/members.h"

namespace keyhold::api {
namespace {

using ::testing::ElementsAre;

constexpr auto kColours = std::to_array<std::string_view>({"RED", "GREEN"});
constexpr Rule kColour{.words = kColours};
constexpr Rule kTagName{.min = 1, .max = 4};
constexpr Rule kSecretName{.min = 1, .max = 4, .privacy = Privacy::kSensitive};

struct Tag {
  std::string name;
  static constexpr auto shape() { return members(required("TagName", &Tag::name, kTagName)); }
};

struct Sample {
  std::string name;
  Secret secret;
  std::optional<Bytes> blob;
  std::optional<std::int64_t> count;
  std::optional<bool> flag;
  std::optional<std::string> colour;
  kms::EncryptionContext context;
  std::vector<std::string> colours;
  std::vector<std::string> secrets;
  std::vector<Tag> tags;
  std::optional<Tag> tag;
  std::optional<std::string> policy;

  static constexpr auto shape() {
    return members(
        required("Name", &Sample::name, kKeyId.in_audit()),
        required("Secret", &Sample::secret, kPlaintext),
        optional("Blob", &Sample::blob, Rule{.min = 1, .max = 3}),
        optional("Count", &Sample::count, Rule{.min = 5, .max = 7}.in_audit()),
        optional("Flag", &Sample::flag, Rule{}.in_audit()),
        optional("Colour", &Sample::colour, kColour),
        optional("Context", &Sample::context, Rule{}.in_audit()),
        optional("Colours", &Sample::colours, Rule{.min = 1, .max = 2, .element = &kColour}),
        optional("Secrets", &Sample::secrets,
                 Rule{.max = 1, .privacy = Privacy::kSensitive, .element = &kSecretName}),
        optional("Tags", &Sample::tags, Rule{.max = 2}.refused("No tags.")),
        optional("Tag", &Sample::tag),
        optional("Policy", &Sample::policy, Rule{}.refused("No policy.")));
  }
};

Result<Sample> read(std::string text) {
  const auto document =
      json::Document::parse({reinterpret_cast<std::uint8_t*>(text.data()), text.size()});
  if (!document) return document.error();
  return read_shape<Sample>(document->root());
}

/// Reads a sample that is whole but for the members given.
Result<Sample> read_with(const std::string& more) {
  return read(R"({"Name":"n","Secret":"AAAA",)" + more + "}");
}

std::string violation(const std::string& more) {
  const auto sample = read_with(more);
  EXPECT_FALSE(sample) << more;
  if (sample) return {};
  EXPECT_EQ(sample.error().code(), ErrorCode::kValidation);
  constexpr std::string_view kStart = "1 validation error detected: ";
  EXPECT_TRUE(sample.error().message().starts_with(kStart)) << sample.error().message();
  return sample.error().message().substr(kStart.size());
}

std::string type_error(const std::string& more) {
  const auto sample = read_with(more);
  EXPECT_FALSE(sample) << more;
  if (sample) return {};
  EXPECT_EQ(sample.error().code(), ErrorCode::kSerialization);
  return sample.error().message();
}

TEST(ReadShape, FillsEveryKindOfMember) {
  const auto sample =
      read(R"({"Name":"n","Secret":"AQI=","Blob":"AwQ=","Count":6,"Flag":true,"Colour":"RED",)"
           R"("Context":{"b":"2","a":"1"},"Colours":["GREEN"],"Tags":[{"TagName":"t"}],)"
           R"("Tag":{"TagName":"u"},"Policy":"p"})");
  ASSERT_TRUE(sample);
  EXPECT_EQ(sample->name, "n");
  EXPECT_EQ(to_hex(sample->secret.view()), "0102");
  EXPECT_EQ(sample->blob, (Bytes{3, 4}));
  EXPECT_EQ(sample->count, 6);
  EXPECT_EQ(sample->flag, true);
  EXPECT_EQ(sample->colour, "RED");
  EXPECT_THAT(sample->context.pairs(), ElementsAre(std::pair<std::string, std::string>("a", "1"),
                                                   std::pair<std::string, std::string>("b", "2")));
  EXPECT_THAT(sample->colours, ElementsAre("GREEN"));
  ASSERT_EQ(sample->tags.size(), 1U);
  EXPECT_EQ(sample->tags[0].name, "t");
  EXPECT_EQ(sample->tag->name, "u");
}

TEST(ReadShape, LeavesAbsentAndNullMembersUnset) {
  const auto sample = read_with(R"("Count":null,"Tag":null,"Context":null,"Colours":null)");
  ASSERT_TRUE(sample);
  EXPECT_FALSE(sample->count);
  EXPECT_FALSE(sample->flag);
  EXPECT_FALSE(sample->tag);
  EXPECT_TRUE(sample->context.empty());
  EXPECT_TRUE(sample->colours.empty());
}

TEST(ReadShape, IgnoresMembersItDoesNotKnow) {
  EXPECT_TRUE(read_with(R"("Unknown":{"a":[1]},"name":7)"));
}

TEST(ReadShape, RefusesWhatIsNotAnObjectWithoutAText) {
  for (const char* text : {"[]", "\"text\"", "7", "null", "true"}) {
    const auto sample = read(text);
    ASSERT_FALSE(sample) << text;
    EXPECT_EQ(sample.error().code(), ErrorCode::kSerialization);
    EXPECT_EQ(sample.error().message(), "");
  }
}

TEST(ReadShape, NamesEveryAbsentRequiredMember) {
  EXPECT_EQ(read("{}").error().message(),
            "2 validation errors detected: Value null at 'name' failed to satisfy constraint: "
            "Member must not be null; Value at 'secret' failed to satisfy constraint: Member must "
            "not be null");
  EXPECT_EQ(absent_member("CiphertextBlob").message(),
            "1 validation error detected: Value null at 'ciphertextBlob' failed to satisfy "
            "constraint: Member must not be null");
}

TEST(ReadShape, SaysWhichBoundOfALengthIsBroken) {
  EXPECT_EQ(violation(R"("Tag":{"TagName":""})"),
            "Value '' at 'tag.tagName' failed to satisfy constraint: Member must have length "
            "greater than or equal to 1");
  EXPECT_EQ(violation(R"("Tag":{"TagName":"abcde"})"),
            "Value 'abcde' at 'tag.tagName' failed to satisfy constraint: Member must have length "
            "less than or equal to 4");
}

TEST(ReadShape, CountsLengthsInUtf16Units) {
  EXPECT_TRUE(read_with(R"("Tag":{"TagName":"äöüß"})"));
  EXPECT_TRUE(read_with(R"("Tag":{"TagName":"😀😀"})"));
  EXPECT_FALSE(read_with(R"("Tag":{"TagName":"😀😀a"})"));
}

TEST(ReadShape, SaysWhichBoundOfAnIntegerIsBroken) {
  EXPECT_EQ(violation(R"("Count":4)"),
            "Value '4' at 'count' failed to satisfy constraint: Member must have value greater "
            "than or equal to 5");
  EXPECT_EQ(violation(R"("Count":8)"),
            "Value '8' at 'count' failed to satisfy constraint: Member must have value less than "
            "or equal to 7");
}

TEST(ReadShape, PrintsNoValueForBlobsAndSensitiveMembers) {
  EXPECT_EQ(violation(R"("Blob":"")"),
            "Value at 'blob' failed to satisfy constraint: Member must have length greater than or "
            "equal to 1");
  EXPECT_EQ(violation(R"("Blob":"AAAAAA==")"),
            "Value at 'blob' failed to satisfy constraint: Member must have length less than or "
            "equal to 3");
  EXPECT_EQ(read(R"({"Name":"n","Secret":""})").error().message(),
            "1 validation error detected: Value at 'secret' failed to satisfy constraint: Member "
            "must have length greater than or equal to 1");
  EXPECT_EQ(violation(R"("Secrets":["hushhush"])"),
            "Value at 'secrets' failed to satisfy constraint: Member must satisfy constraint: "
            "[Member must have length less than or equal to 4]");
}

TEST(ReadShape, PrintsTheSetOfWordsInItsOrder) {
  EXPECT_EQ(violation(R"("Colour":"BLUE")"),
            "Value 'BLUE' at 'colour' failed to satisfy constraint: Member must satisfy enum value "
            "set: [RED, GREEN]");
}

TEST(ReadShape, SaysWhatIsWrongWithAListAndItsElements) {
  EXPECT_EQ(violation(R"("Colours":[])"),
            "Value '[]' at 'colours' failed to satisfy constraint: Member must have length greater "
            "than or equal to 1");
  EXPECT_EQ(violation(R"("Colours":["RED","RED","GREEN"])"),
            "Value '[RED, RED, GREEN]' at 'colours' failed to satisfy constraint: Member must have "
            "length less than or equal to 2");
  EXPECT_EQ(violation(R"("Colours":["BLUE"])"),
            "Value '[BLUE]' at 'colours' failed to satisfy constraint: Member must satisfy "
            "constraint: [Member must satisfy enum value set: [RED, GREEN]]");
}

TEST(ReadShape, CountsTheElementsOfAListFromOne) {
  EXPECT_EQ(violation(R"("Tags":[{"TagName":"a"},{"TagName":"abcde"}])"),
            "Value 'abcde' at 'tags.2.member.tagName' failed to satisfy constraint: Member must "
            "have length less than or equal to 4");
  EXPECT_EQ(violation(R"("Tags":[{}])"),
            "Value null at 'tags.1.member.tagName' failed to satisfy constraint: Member must not "
            "be null");
  EXPECT_EQ(violation(R"("Tags":[{"TagName":"a"},{"TagName":"b"},{"TagName":"c"}])"),
            "Value at 'tags' failed to satisfy constraint: Member must have length less than or "
            "equal to 2");
}

TEST(ReadShape, JoinsSeveralViolations) {
  EXPECT_EQ(read(R"({"Name":"","Secret":"AA=="})").error().message(),
            "2 validation errors detected: Value '' at 'name' failed to satisfy constraint: Member "
            "must have length greater than or equal to 1; Value '' at 'name' failed to satisfy "
            "constraint: Member must satisfy regular expression pattern: ^\\p{ASCII}+$");
}

TEST(ReadShape, NamesTheJsonTypeThatCannotBeConverted) {
  EXPECT_EQ(type_error(R"("Count":"6")"), "STRING_VALUE can not be converted to an Integer");
  EXPECT_EQ(type_error(R"("Count":6.5)"), "NUMBER_VALUE can not be converted to an Integer");
  EXPECT_EQ(type_error(R"("Count":1e300)"), "NUMBER_VALUE can not be converted to an Integer");
  EXPECT_EQ(type_error(R"("Colour":7)"), "NUMBER_VALUE can not be converted to a String");
  EXPECT_EQ(type_error(R"("Colour":true)"), "TRUE_VALUE can not be converted to a String");
  EXPECT_EQ(type_error(R"("Blob":false)"), "FALSE_VALUE can not be converted to a Blob");
  EXPECT_EQ(type_error(R"("Flag":"true")"), "STRING_VALUE can not be converted to a Boolean");
  EXPECT_EQ(type_error(R"("Tag":"t")"), "STRING_VALUE can not be converted to a Structure");
  EXPECT_EQ(type_error(R"("Tags":"t")"), "STRING_VALUE can not be converted to a List");
  EXPECT_EQ(type_error(R"("Colours":7)"), "NUMBER_VALUE can not be converted to a List");
  EXPECT_EQ(type_error(R"("Context":"c")"), "STRING_VALUE can not be converted to a Map");
  EXPECT_EQ(type_error(R"("Context":{"a":7})"), "NUMBER_VALUE can not be converted to a String");
  EXPECT_EQ(type_error(R"("Context":{"a":null})"), "NULL_VALUE can not be converted to a String");
  EXPECT_EQ(type_error(R"("Colours":[7])"), "NUMBER_VALUE can not be converted to a String");
}

TEST(ReadShape, NamesTheCollectionThatIsNotWanted) {
  EXPECT_EQ(type_error(R"("Context":[])"),
            "Unrecognized collection type java.util.Map<java.lang.String, java.lang.String>");
  EXPECT_EQ(type_error(R"("Colours":{})"),
            "Unrecognized collection type java.util.List<java.lang.String>");
  EXPECT_EQ(type_error(R"("Colour":{})"), "Start of structure or map found where not expected.");
  EXPECT_EQ(type_error(R"("Tag":[])"), "Start of list found where not expected.");
}

TEST(ReadShape, RefusesWhatIsNotStrictBase64) {
  for (const char* text : {"A", "A===", "AA", "A A=", "AB==", "_-8="}) {
    EXPECT_EQ(type_error(R"("Blob":")" + std::string(text) + "\""),
              "STRING_VALUE can not be converted to a Blob")
        << text;
  }
}

TEST(ReadShape, JudgesTypesBeforeValues) {
  EXPECT_EQ(type_error(R"("Colour":"BLUE","Flag":7)"),
            "NUMBER_VALUE can not be converted to a Boolean");
}

TEST(ReadShape, RefusesAnEncryptionContextThatIsTooLarge) {
  const auto sample = read_with(
      R"("Context":{"a":")" + std::string(kms::EncryptionContext::kMaxCanonicalSize, 'x') + "\"}");
  ASSERT_FALSE(sample);
  EXPECT_EQ(sample.error().code(), ErrorCode::kValidation);
}

TEST(CheckRefusals, NamesTheFirstRefusedMemberThatAsksForSomething) {
  const auto harmless = read_with(R"("Tags":[])");
  ASSERT_TRUE(harmless);
  EXPECT_TRUE(check_refusals(*harmless));

  const auto asking = read_with(R"("Policy":"p","Tags":[{"TagName":"t"}])");
  ASSERT_TRUE(asking);
  const auto refused = check_refusals(*asking);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kUnsupportedOperation);
  EXPECT_EQ(refused.error().message(), "No tags.");
}

struct Out {
  Bytes blob;
  std::optional<TimePoint> date;
  std::vector<Tag> list;
  std::optional<std::string> unset;
  bool yes = true;
  static constexpr auto shape() {
    return members(optional("Blob", &Out::blob), optional("Date", &Out::date, Rule{}.in_audit()),
                   optional("List", &Out::list, Rule{}.in_audit()),
                   optional("Unset", &Out::unset, Rule{}.in_audit()), optional("Yes", &Out::yes));
  }
};

std::string written(const Out& out) {
  json::Writer writer;
  write_shape(writer, out);
  return std::string(writer.text());
}

TEST(WriteShape, LeavesUnsetMembersOutAndKeepsEmptyListsIn) {
  EXPECT_EQ(written(Out{}), R"({"Blob":"","List":[],"Yes":true})");
}

TEST(WriteShape, WritesDatesAsSecondsWithMilliseconds) {
  Out out;
  out.date = TimePoint(milliseconds(1608639949636));
  EXPECT_EQ(written(out), R"({"Blob":"","Date":1608639949.636,"List":[],"Yes":true})");
  out.date = TimePoint(milliseconds(1568290320007));
  EXPECT_EQ(written(out), R"({"Blob":"","Date":1568290320.007,"List":[],"Yes":true})");
}

TEST(WriteShape, WritesBlobsInBase64AndStructuresInOrder) {
  Out out;
  out.blob = {0xfb, 0xff};
  out.list = {Tag{"a"}, Tag{"b"}};
  EXPECT_EQ(written(out), R"({"Blob":"+/8=","List":[{"TagName":"a"},{"TagName":"b"}],"Yes":true})");
}

TEST(AuditForm, ShowsFlaggedMembersInCloudTrailsSpelling) {
  Out out;
  out.list = {Tag{"a"}};
  out.date = TimePoint(milliseconds(1660171107000));
  EXPECT_EQ(audit_form(out), R"({"date":"Aug 10, 2022, 10:38:27 PM","list":[{"tagName":"a"}]})");
  out.date = TimePoint(milliseconds(1660089600000));
  EXPECT_EQ(audit_form(out), R"({"date":"Aug 10, 2022, 12:00:00 AM","list":[{"tagName":"a"}]})");
}

TEST(AuditForm, IsNullWhereThereIsNothingToShow) {
  struct Nothing {
    Secret secret;
    static constexpr auto shape() { return std::tuple(required("Secret", &Nothing::secret)); }
  };
  EXPECT_EQ(audit_form(Nothing{}), "null");
}

TEST(LowerCamel, KeepsAcronyms) {
  EXPECT_EQ(lower_camel("KeyId"), "keyId");
  EXPECT_EQ(lower_camel("AWSAccountId"), "AWSAccountId");
}

TEST(Patterns, MatchWhatAwsMatches) {
  const auto matching = [](Pattern pattern, std::string_view text) {
    return matches(pattern, text);
  };
  EXPECT_TRUE(matching(Pattern::kAscii, "a\x7f"));
  EXPECT_FALSE(matching(Pattern::kAscii, "キー"));
  EXPECT_FALSE(matching(Pattern::kAscii, ""));
  EXPECT_TRUE(matching(Pattern::kAliasName, "alias/a-Z_0:9"));
  EXPECT_FALSE(matching(Pattern::kAliasName, "alias/x y"));
  EXPECT_TRUE(matching(Pattern::kMarker, ""));
  EXPECT_TRUE(matching(Pattern::kMarker, "~ ÿ"));
  EXPECT_FALSE(matching(Pattern::kMarker, "\t"));
  EXPECT_FALSE(matching(Pattern::kMarker, "Ā"));
  EXPECT_TRUE(matching(Pattern::kPolicy, "{\n\t}\r"));
  EXPECT_FALSE(matching(Pattern::kPolicy, "\x01"));
  EXPECT_FALSE(matching(Pattern::kPolicy, ""));
  EXPECT_TRUE(matching(Pattern::kXksKeyId, "a-_.9"));
  EXPECT_FALSE(matching(Pattern::kXksKeyId, "a/b"));
  EXPECT_TRUE(matching(Pattern::kMaterialId, "09af"));
  EXPECT_FALSE(matching(Pattern::kMaterialId, "0G"));
}

TEST(WireOrder, IsJudgedByTheBytesOfNames) {
  struct Unordered {
    bool b = false;
    bool a = false;
    static constexpr auto shape() {
      return std::tuple(optional("B", &Unordered::b), optional("A", &Unordered::a));
    }
  };
  EXPECT_FALSE(in_wire_order<Unordered>());
  EXPECT_TRUE(in_wire_order<Out>());
}

}  // namespace
}  // namespace keyhold::api

#include <gtest/gtest.h>

#include "service_fixture.h"

namespace keyhold::api {
namespace {

using namespace test;

class TagOperations : public ServiceTest {
 protected:
  static std::string tag(const std::string& key, const std::string& value) {
    return R"({"TagKey":)" + json_string(key) + R"(,"TagValue":)" + json_string(value) + "}";
  }
  static std::string tags_of(const std::string& key_id) {
    return succeed("ListResourceTags", with_key(key_id)).body;
  }
  static std::string numbered(int count) {
    std::string list;
    for (int i = 0; i < count; ++i) list += (i == 0 ? "" : ",") + tag(std::to_string(100 + i), "v");
    return "[" + list + "]";
  }
};

TEST_F(TagOperations, ANewKeyHasTheTagsItWasMadeWith) {
  const Reply made =
      succeed("CreateKey", R"({"Tags":[)" + tag("b", "2") + "," + tag("a", "1") + "]}");
  EXPECT_EQ(tags_of(made.text("KeyMetadata.KeyId")),
            R"({"Tags":[)" + tag("a", "1") + "," + tag("b", "2") + R"(],"Truncated":false})");
  EXPECT_NE(made.record.request_parameters.find(
                R"("tags":[{"tagKey":"b","tagValue":"2"},{"tagKey":"a","tagValue":"1"}])"),
            std::string::npos);
  EXPECT_EQ(tags_of(new_key()), R"({"Tags":[],"Truncated":false})");
}

TEST_F(TagOperations, TaggingMergesAndUntaggingRemovesWhatIsThere) {
  const std::string key = new_key();
  EXPECT_EQ(succeed("TagResource",
                    with_key(key, R"("Tags":[)" + tag("a", "1") + "," + tag("b", "2") + "]"))
                .body,
            "");
  succeed("TagResource", with_key(key, R"("Tags":[)" + tag("b", "3") + "]"));
  EXPECT_EQ(tags_of(key),
            R"({"Tags":[)" + tag("a", "1") + "," + tag("b", "3") + R"(],"Truncated":false})");
  const Reply untagged = succeed("UntagResource", with_key(key, R"("TagKeys":["a","none"])"));
  EXPECT_EQ(untagged.body, "");
  EXPECT_EQ(untagged.record.request_parameters,
            R"({"keyId":")" + key + R"(","tagKeys":["a","none"]})");
  EXPECT_EQ(tags_of(key), R"({"Tags":[)" + tag("b", "3") + R"(],"Truncated":false})");
}

TEST_F(TagOperations, WhatIsRefusedChangesNothing) {
  const std::string key = new_key();
  succeed("TagResource", with_key(key, R"("Tags":[)" + tag("kept", "1") + "]"));
  const std::string before = tags_of(key);
  const auto refuse = [&](const std::string& list, std::string_view text) {
    expect_error(call("TagResource", with_key(key, R"("Tags":)" + list)), "TagException", text);
    EXPECT_EQ(tags_of(key), before);
  };
  refuse(numbered(50), "Too many tags");
  refuse("[" + tag("new", "") + "," + tag("AWS:x", "") + "]",
         "Tags beginning with aws: are reserved");
  refuse("[" + tag("new", "1") + "," + tag("new", "2") + "]", "Duplicate tag keys");
  expect_error(call("UntagResource", with_key(key, R"("TagKeys":["kept","aws:x"])")),
               "TagException", "Tags beginning with aws: are reserved");
  EXPECT_EQ(tags_of(key), before);
}

TEST_F(TagOperations, AKeyThatCannotHaveItsTagsIsNotMade) {
  const std::string account = "222233334444";
  Client client(service(), account);
  expect_error(client.call("CreateKey", R"({"Tags":)" + numbered(51) + "}"), "TagException",
               "Too many tags");
  expect_error(client.call("CreateKey", R"({"Tags":[)" + tag("aws:x", "") + "]}"), "TagException",
               "Tags beginning with aws: are reserved");
  EXPECT_EQ(client.call("ListKeys").body, R"({"Keys":[],"Truncated":false})");
}

TEST_F(TagOperations, KeysAndValuesHaveTheirBounds) {
  const std::string key = new_key();
  const auto with = [&](const std::string& one) {
    return with_key(key, R"("Tags":[)" + one + "]");
  };
  expect_invalid(call("TagResource", with(tag(std::string(129, 'k'), ""))),
                 "Value '" + std::string(129, 'k') +
                     "' at 'tags.1.member.tagKey' failed to satisfy constraint: Member must have "
                     "length less than or equal to 128");
  expect_invalid(
      call("TagResource", with(tag("", ""))),
      "Value '' at 'tags.1.member.tagKey' failed to satisfy constraint: Member must have "
      "length greater than or equal to 1");
  expect_invalid(call("TagResource", with(tag("k", std::string(257, 'v')))),
                 "Value '" + std::string(257, 'v') +
                     "' at 'tags.1.member.tagValue' failed to satisfy constraint: Member must have "
                     "length less than or equal to 256");
  expect_invalid(call("TagResource", with(R"({"TagKey":"k"})")),
                 "Value null at 'tags.1.member.tagValue' failed to satisfy constraint: Member must "
                 "not be null");
  expect_invalid(call("TagResource", with_key(key)),
                 "Value null at 'tags' failed to satisfy constraint: Member must not be null");
  expect_invalid(call("UntagResource", with_key(key)),
                 "Value null at 'tagKeys' failed to satisfy constraint: Member must not be null");
  succeed("TagResource", with(tag(std::string(128, 'k'), std::string(256, 'v'))));
}

TEST_F(TagOperations, TagsOfAKeyThatWaitsForDeletionAreReadAndNotWritten) {
  const std::string key = new_key();
  succeed("TagResource", with_key(key, R"("Tags":[)" + tag("a", "1") + "]"));
  put_in_state(key, KeyState::kPendingDeletion);
  const std::string text = arn(key) + " is pending deletion.";
  expect_error(call("TagResource", with_key(key, R"("Tags":[])")), "KMSInvalidStateException",
               text);
  expect_error(call("UntagResource", with_key(key, R"("TagKeys":["a"])")),
               "KMSInvalidStateException", text);
  EXPECT_EQ(tags_of(key), R"({"Tags":[)" + tag("a", "1") + R"(],"Truncated":false})");
}

TEST_F(TagOperations, PagesEndWithTheLastTagAndLimitsAboveFiftyCapThePage) {
  const std::string key = new_key();
  succeed("TagResource", with_key(key, R"("Tags":)" + numbered(50)));
  EXPECT_EQ(call("ListResourceTags", with_key(key, R"("Limit":1000)")).text("Truncated"), "false");
  const Reply first = succeed("ListResourceTags", with_key(key, R"("Limit":49)"));
  EXPECT_EQ(first.text("Truncated"), "true");
  EXPECT_EQ(first.text("Tags.48.TagKey"), "148");
  const Reply second = succeed(
      "ListResourceTags", with_key(key, R"("Marker":)" + json_string(first.text("NextMarker"))));
  EXPECT_EQ(second.body, R"({"Tags":[)" + tag("149", "v") + R"(],"Truncated":false})");
  expect_error(call("ListResourceTags", with_key(key, R"("Marker":"x")")), "InvalidMarkerException",
               "The marker is not valid for this list.");
  expect_invalid(
      call("ListResourceTags", with_key(key, R"("Limit":1001)")),
      "Value '1001' at 'limit' failed to satisfy constraint: Member must have value less "
      "than or equal to 1000");
}

TEST_F(TagOperations, AliasesAreRefused) {
  for (const auto& [operation, more] :
       {std::pair{"TagResource", R"("Tags":[])"}, std::pair{"UntagResource", R"("TagKeys":[])"},
        std::pair{"ListResourceTags", R"("Limit":1)"}}) {
    expect_error(call(operation, with_key("alias/x", more)), "InvalidArnException",
                 "Key Aliases are not supported for this operation.");
  }
}

}  // namespace
}  // namespace keyhold::api

#include "kms/tag.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/kms/keys.h"

namespace keyhold::kms {
namespace {

using namespace testing;
using store::Tag;
using ::testing::ElementsAre;

std::vector<Tag> numbered(std::size_t count) {
  std::vector<Tag> tags;
  for (std::size_t i = 0; i < count; ++i) tags.push_back({std::to_string(100 + i), "v"});
  return tags;
}

void expect_refused(const Result<std::vector<Tag>>& result, std::string_view text) {
  ASSERT_TRUE(result.has_error());
  EXPECT_EQ(result.error().code(), ErrorCode::kTag);
  EXPECT_EQ(result.error().message(), text);
}

TEST(Tags, GivenOnesReplaceThoseOfTheirKeyAndJoinTheOthersInOrder) {
  const std::vector<Tag> added{{"b", "new"}, {"a", "new"}, {"C", "new"}};
  const auto merged = merge_tags({{"b", "old"}, {"c", "old"}}, added);
  ASSERT_TRUE(merged);
  EXPECT_THAT(*merged,
              ElementsAre(Tag{"C", "new"}, Tag{"a", "new"}, Tag{"b", "new"}, Tag{"c", "old"}));
}

TEST(Tags, OfAwsAreReservedInAnyCase) {
  for (const std::string key : {"aws:x", "AWS:", "aWs:createdBy"}) {
    const std::vector<Tag> tags{{"good", ""}, {key, ""}};
    expect_refused(merge_tags({}, tags), "Tags beginning with aws: are reserved");
    expect_refused(remove_tags({}, std::vector<std::string>{"good", key}),
                   "Tags beginning with aws: are reserved");
  }
  for (const std::string key : {"aws", "aws.x", "xaws:"}) {
    EXPECT_TRUE(merge_tags({}, std::vector<Tag>{{key, ""}})) << key;
  }
}

TEST(Tags, AreRefusedWhereOneRequestHasAKeyTwice) {
  expect_refused(merge_tags({}, std::vector<Tag>{{"k", "1"}, {"other", ""}, {"k", "1"}}),
                 "Duplicate tag keys");
  EXPECT_TRUE(merge_tags({}, std::vector<Tag>{{"k", "1"}, {"K", "1"}}));
}

TEST(Tags, AreFiftyAtMostTogetherWithThoseThatAreThere) {
  EXPECT_TRUE(merge_tags({}, numbered(50)));
  expect_refused(merge_tags({}, numbered(51)), "Too many tags");
  EXPECT_TRUE(merge_tags(numbered(50), numbered(50)));
  expect_refused(merge_tags(numbered(50), std::vector<Tag>{{"one", "more"}}), "Too many tags");
}

TEST(Tags, ThatAreNotThereAreNoMatterToTheirRemoval) {
  const auto rest =
      remove_tags({{"a", "1"}, {"b", "2"}, {"c", "3"}}, std::vector<std::string>{"b", "B", "d"});
  ASSERT_TRUE(rest);
  EXPECT_THAT(*rest, ElementsAre(Tag{"a", "1"}, Tag{"c", "3"}));
}

TEST(Tags, AreFoundByTheirWholeKey) {
  const std::vector<Tag> tags{{"a", "1"}, {"ab", "2"}};
  EXPECT_EQ(*find_tag(tags, "ab"), "2");
  EXPECT_EQ(find_tag(tags, "abc"), nullptr);
  EXPECT_EQ(find_tag(tags, "A"), nullptr);
}

TEST(Tags, AreListedOnceEachWhileOthersComeAndGoBetweenPages) {
  auto record = a_key_record();
  record.tags = {{"a", ""}, {"b", ""}, {"d", ""}, {"e", ""}};
  const auto first = list_tags(a_key(record), {.limit = 2, .marker = std::nullopt});
  ASSERT_TRUE(first);
  EXPECT_THAT(first->elements, ElementsAre(Tag{"a", ""}, Tag{"b", ""}));
  ASSERT_TRUE(first->next_marker);

  record.tags = {{"a", ""}, {"c", ""}, {"d", ""}, {"e", ""}};
  const auto second = list_tags(a_key(record), {.limit = 2, .marker = first->next_marker});
  ASSERT_TRUE(second);
  EXPECT_THAT(second->elements, ElementsAre(Tag{"c", ""}, Tag{"d", ""}));
  const auto third = list_tags(a_key(record), {.limit = 2, .marker = second->next_marker});
  ASSERT_TRUE(third);
  EXPECT_THAT(third->elements, ElementsAre(Tag{"e", ""}));
  EXPECT_FALSE(third->next_marker);

  const auto foreign = list_tags(a_key(record), {.limit = 2, .marker = "a2V5cy94"});
  ASSERT_TRUE(foreign.has_error());
  EXPECT_EQ(foreign.error().code(), ErrorCode::kInvalidMarker);
}

}  // namespace
}  // namespace keyhold::kms

#include "kms/arn.h"

#include <gtest/gtest.h>

#include <array>

namespace keyhold::kms {
namespace {

constexpr std::string_view kId = "1234abcd-12ab-34cd-56ef-1234567890ab";

TEST(Arn, OfAKeyAndOfAnAliasHaveAwsForm) {
  EXPECT_EQ(key_arn("us-west-2", "111122223333", kId),
            "arn:aws:kms:us-west-2:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab");
  EXPECT_EQ(alias_arn("us-west-2", "111122223333", "alias/ExampleAlias"),
            "arn:aws:kms:us-west-2:111122223333:alias/ExampleAlias");
}

TEST(Arn, IsInThePartitionOfItsRegion) {
  constexpr std::array<std::array<std::string_view, 2>, 7> kRegions{
      {{"eu-central-1", "aws"},
       {"cn-north-1", "aws-cn"},
       {"us-gov-west-1", "aws-us-gov"},
       {"us-iso-east-1", "aws-iso"},
       {"us-isob-east-1", "aws-iso-b"},
       {"eusc-de-east-1", "aws-eusc"},
       {"us-east-1", "aws"}}};
  for (const auto& [region, partition] : kRegions) {
    EXPECT_EQ(partition_of(region), partition) << region;
    const std::string arn = key_arn(region, "111122223333", kId);
    const auto parsed = parse_arn(arn);
    ASSERT_TRUE(parsed) << arn;
    EXPECT_EQ(parsed->partition, partition);
    EXPECT_EQ(parsed->region, region);
  }
}

TEST(Arn, TakenApartGivesItsParts) {
  const auto key = parse_arn("arn:aws-cn:kms:cn-north-1:111122223333:key/abc");
  ASSERT_TRUE(key);
  EXPECT_EQ(key->partition, "aws-cn");
  EXPECT_EQ(key->region, "cn-north-1");
  EXPECT_EQ(key->account, "111122223333");
  EXPECT_EQ(key->resource, "key/abc");
  EXPECT_EQ(parse_arn("arn:aws:kms:eu-west-1:000000000000:alias/a:b/c")->resource, "alias/a:b/c");
}

TEST(Arn, OfAnotherServiceOrFormIsNone) {
  for (const std::string_view text : {
           "",
           "arn:",
           "arn:aws:kms",
           "arn:aws:kms:us-east-1:111122223333",
           "arn:aws:s3:us-east-1:111122223333:key/abc",
           "ARN:aws:kms:us-east-1:111122223333:key/abc",
           "arn:azure:kms:us-east-1:111122223333:key/abc",
           "arn:aws:kms::111122223333:key/abc",
           "arn:aws:kms:us-east-1::key/abc",
           "arn:aws:kms:us-east-1:11112222333:key/abc",
           "arn:aws:kms:us-east-1:1111222233334:key/abc",
           "arn:aws:kms:us-east-1:11112222333x:key/abc",
           "arn:aws:kms:us-east-1:111122223333:abc",
           "arn:aws:kms:us-east-1:111122223333:grant/abc",
           "arn:aws:kms:us-east-1:111122223333:",
           " arn:aws:kms:us-east-1:111122223333:key/abc",
       }) {
    EXPECT_FALSE(parse_arn(text)) << text;
  }
}

TEST(KeyId, IsAUuidOrAMultiRegionId) {
  EXPECT_TRUE(is_key_id(kId));
  EXPECT_TRUE(is_key_id("mrk-1234abcd12ab34cd56ef1234567890ab"));
  for (const std::string_view text :
       {"", "fake-key-id", "1234abcd12ab34cd56ef1234567890ab", "mrk-", "mrk-fake-key-id",
        "mrk-1234abcd12ab34cd56ef1234567890a", "mrk-1234abcd12ab34cd56ef1234567890abc",
        "mrk-1234ABCD12ab34cd56ef1234567890ab", "mrk-1234abcd-12ab-34cd-56ef-1234567890ab",
        "alias/x"}) {
    EXPECT_FALSE(is_key_id(text)) << text;
  }
}

TEST(Region, IsWordsAndANumber) {
  for (const std::string_view text :
       {"us-east-1", "eu-central-1", "us-gov-west-1", "eusc-de-east-1", "ap-southeast-12"}) {
    EXPECT_TRUE(is_region(text)) << text;
  }
  for (const std::string_view text :
       {"", "us", "us-1", "us-east", "us-east-", "-us-east-1", "us--east-1", "US-EAST-1",
        "us-east-1a", "us-e4st-1", "us-east-1 ", "us_east_1", "../us-east-1",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-east-1"}) {
    EXPECT_FALSE(is_region(text)) << text;
  }
}

}  // namespace
}  // namespace keyhold::kms

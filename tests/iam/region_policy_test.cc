#include "iam/region_policy.h"

#include <gtest/gtest.h>

namespace keyhold::iam {
namespace {

TEST(RegionPolicy, AnyTakesEveryWellFormedName) {
  const RegionPolicy any = RegionPolicy::any();
  for (const std::string name :
       {"us-east-1", "eu-central-2", "us-gov-west-1", "us-iso-east-1", "local", "a"})
    EXPECT_TRUE(any.allows(name)) << name;
  for (const std::string name : {"", "US-EAST-1", "us_east_1", "-us", "us-", "us--east", "1us",
                                 "us east", "us-east-1\n", "aaaaaaaaaabbbbbbbbbbccccccccccddd"})
    EXPECT_FALSE(any.allows(name)) << name;
}

TEST(RegionPolicy, AListTakesItsNamesAlone) {
  const RegionPolicy listed = RegionPolicy::one_of({"us-east-1", "eu-west-1"});
  EXPECT_TRUE(listed.allows("us-east-1"));
  EXPECT_TRUE(listed.allows("eu-west-1"));
  EXPECT_FALSE(listed.allows("us-east-2"));
  EXPECT_FALSE(listed.allows(""));
  EXPECT_FALSE(RegionPolicy::one_of({}).allows("us-east-1"));
}

}  // namespace
}  // namespace keyhold::iam

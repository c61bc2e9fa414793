#include "audit/event_bridge.h"

#include <gtest/gtest.h>

#include "json_text.h"

namespace keyhold::audit {
namespace {

constexpr const char* kArn = "arn:aws:kms:us-west-2:111122223333:key/k";
const EventBridgeOrigin kOrigin{"6a7e8feb-b491-4cf7-a9f1-bf3703467718",
                                TimePoint(std::chrono::milliseconds(1747773976000)), "111122223333",
                                "us-west-2"};

TEST(EventBridge, ARotationHasTheWholeEnvelope) {
  const Rotation rotation{RotationType::kOnDemand, KeyOrigin::kAwsKms, "k", kArn, "p", "c"};
  EXPECT_EQ(sorted(render_rotation(kOrigin, rotation)), sorted(R"({
    "version":"0","id":"6a7e8feb-b491-4cf7-a9f1-bf3703467718","detail-type":"KMS CMK Rotation",
    "source":"aws.kms","account":"111122223333","time":"2025-05-20T20:46:16Z",
    "region":"us-west-2","resources":["arn:aws:kms:us-west-2:111122223333:key/k"],
    "detail":{"key-id":"k","key-origin":"AWS_KMS","rotation-type":"ON_DEMAND",
      "previous-key-material-id":"p","current-key-material-id":"c"}})"));
}

TEST(EventBridge, ADeletionHasTheWholeEnvelope) {
  EXPECT_EQ(sorted(render_deletion(kOrigin, "k", kArn)), sorted(R"({
    "version":"0","id":"6a7e8feb-b491-4cf7-a9f1-bf3703467718","detail-type":"KMS CMK Deletion",
    "source":"aws.kms","account":"111122223333","time":"2025-05-20T20:46:16Z",
    "region":"us-west-2","resources":["arn:aws:kms:us-west-2:111122223333:key/k"],
    "detail":{"key-id":"k"}})"));
}

}  // namespace
}  // namespace keyhold::audit

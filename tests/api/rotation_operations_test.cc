// Rotation as callers see it, on the whole service.
#include <gtest/gtest.h>

#include "service_fixture.h"

namespace keyhold::api::test {
namespace {

using RotationOperations = ServiceTest;

std::string seconds(TimePoint time) {
  const std::string text = std::to_string(time.time_since_epoch().count());
  return text.substr(0, text.size() - 3) + "." + text.substr(text.size() - 3);
}

TEST_F(RotationOperations, AnswerTheArnAndKeepOldCiphertexts) {
  const std::string id = new_key();
  const std::string old_blob = encrypted(id);
  const std::string old_material =
      succeed("DescribeKey", with_key(id)).text("KeyMetadata.CurrentKeyMaterialId");
  const Reply rotated = succeed("RotateKeyOnDemand", with_key(id));
  EXPECT_EQ(rotated.body, R"({"KeyId":")" + arn(id) + "\"}");
  EXPECT_EQ(rotated.record.response_elements, R"({"keyId":")" + arn(id) + "\"}");
  const std::string new_material =
      succeed("DescribeKey", with_key(id)).text("KeyMetadata.CurrentKeyMaterialId");
  EXPECT_NE(new_material, old_material);
  EXPECT_EQ(succeed("Decrypt", with_ciphertext(old_blob)).text("KeyMaterialId"), old_material);
  EXPECT_EQ(succeed("Decrypt", with_ciphertext(encrypted(id))).text("KeyMaterialId"), new_material);
}

TEST_F(RotationOperations, AreListedOldestFirst) {
  const std::string id = new_key();
  EXPECT_EQ(succeed("ListKeyRotations", with_key(id)).body,
            R"({"Rotations":[],"Truncated":false})");
  std::vector<std::string> materials = {
      succeed("DescribeKey", with_key(id)).text("KeyMetadata.CurrentKeyMaterialId")};
  std::vector<TimePoint> dates;
  for (int i = 0; i < 2; ++i) {
    clock().advance(std::chrono::minutes(1));
    dates.push_back(clock().now());
    succeed("RotateKeyOnDemand", with_key(arn(id)));
    materials.push_back(
        succeed("DescribeKey", with_key(id)).text("KeyMetadata.CurrentKeyMaterialId"));
  }
  const auto entry = [&](std::size_t i, const std::string& state, const std::string& rotation) {
    return R"({"KeyId":")" + id + R"(","KeyMaterialId":")" + materials[i] +
           R"(","KeyMaterialState":")" + state + "\"" + rotation + "}";
  };
  const auto on_demand = [&](std::size_t i) {
    return R"(,"RotationDate":)" + seconds(dates[i]) + R"(,"RotationType":"ON_DEMAND")";
  };
  const std::string rotations =
      entry(1, "NON_CURRENT", on_demand(0)) + "," + entry(2, "CURRENT", on_demand(1));
  EXPECT_EQ(succeed("ListKeyRotations", with_key(id)).body,
            R"({"Rotations":[)" + rotations + R"(],"Truncated":false})");
  EXPECT_EQ(
      succeed("ListKeyRotations", with_key(id, R"("IncludeKeyMaterial":"ALL_KEY_MATERIAL")")).body,
      R"({"Rotations":[)" + entry(0, "NON_CURRENT", "") + "," + rotations +
          R"(],"Truncated":false})");

  const Reply first = succeed("ListKeyRotations", with_key(id, R"("Limit":1)"));
  EXPECT_EQ(first.text("Truncated"), "true");
  EXPECT_EQ(first.text("Rotations.0.KeyMaterialId"), materials[1]);
  const Reply second =
      succeed("ListKeyRotations",
              with_key(id, R"("Limit":1,"Marker":)" + json_string(first.text("NextMarker"))));
  EXPECT_EQ(second.body,
            R"({"Rotations":[)" + entry(2, "CURRENT", on_demand(1)) + R"(],"Truncated":false})");
}

TEST_F(RotationOperations, ShowTheStatusWithTheBareId) {
  const std::string id = new_key();
  const std::string off = R"({"KeyId":")" + id + R"(","KeyRotationEnabled":false})";
  EXPECT_EQ(succeed("GetKeyRotationStatus", with_key(arn(id))).body, off);
  succeed("EnableKeyRotation", with_key(id, R"("RotationPeriodInDays":90)"));
  const auto on = [&](int days) {
    return R"({"KeyId":")" + id + R"(","KeyRotationEnabled":true,"NextRotationDate":)" +
           seconds(clock().now() + kDay * days) + R"(,"RotationPeriodInDays":)" +
           std::to_string(days) + "}";
  };
  EXPECT_EQ(succeed("GetKeyRotationStatus", with_key(id)).body, on(90));
  succeed("RotateKeyOnDemand", with_key(id));
  EXPECT_EQ(succeed("GetKeyRotationStatus", with_key(id)).body, on(90));
  succeed("EnableKeyRotation", with_key(id));
  EXPECT_EQ(succeed("GetKeyRotationStatus", with_key(id)).body, on(365));
  for (int i = 0; i < 2; ++i) succeed("DisableKeyRotation", with_key(id));
  EXPECT_EQ(succeed("GetKeyRotationStatus", with_key(id)).body, off);
}

TEST_F(RotationOperations, ShowNoRotationWhileDeletionWaits) {
  const std::string id = new_key();
  succeed("EnableKeyRotation", with_key(id));
  put_in_state(id, KeyState::kPendingDeletion);
  EXPECT_EQ(succeed("GetKeyRotationStatus", with_key(id)).body,
            R"({"KeyId":")" + id + R"(","KeyRotationEnabled":false})");
}

TEST_F(RotationOperations, AreLimitedToTenOnDemand) {
  const std::string id = new_key();
  for (int i = 0; i < 10; ++i) succeed("RotateKeyOnDemand", with_key(id));
  expect_error(call("RotateKeyOnDemand", with_key(id)), "LimitExceededException",
               "The on-demand rotations limit has been reached for the given keyId. No more "
               "on-demand rotations can be performed for this key: " +
                   arn(id));
}

TEST_F(RotationOperations, ConflictWithAnAutomaticOneThatIsDueSoon) {
  const std::string id = new_key();
  succeed("EnableKeyRotation", with_key(id, R"("RotationPeriodInDays":90)"));
  clock().advance(kDay * 90 - std::chrono::minutes(19));
  EXPECT_EQ(call("RotateKeyOnDemand", with_key(id)).at("__type"), "ConflictException");
}

TEST_F(RotationOperations, HappenByThemselvesWhenDue) {
  const std::string id = new_key();
  succeed("EnableKeyRotation", with_key(id, R"("RotationPeriodInDays":90)"));
  clock().advance(kDay * 90);
  service().run_due_work();
  EXPECT_EQ(succeed("ListKeyRotations", with_key(id)).text("Rotations.0.RotationType"),
            "AUTOMATIC");
}

}  // namespace
}  // namespace keyhold::api::test

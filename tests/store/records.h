// Records to fill a store with, and the comparison of all that is in one.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "base/random.h"
#include "store/store.h"

namespace keyhold::store::testing {

inline TimePoint at(std::int64_t milliseconds_since_epoch) {
  return TimePoint(milliseconds(milliseconds_since_epoch));
}

inline ObjectName draw_name() {
  SystemRandom random;
  return ObjectName::draw(random);
}

inline KeyRecord a_key() {
  SystemRandom random;
  KeyRecord key;
  key.id = draw_uuid(random);
  key.account = "111122223333";
  key.region = "eu-central-1";
  key.description = "for \"quotes'; and \xc3\xbc, \xf0\x9f\x94\x91\nand lines";
  key.created_at = at(1795531445123);
  return key;
}

inline IntentRecord an_intent(const KeyRecord& key, IntentKind kind = IntentKind::kCreateKey) {
  return {
      .object_name = draw_name(), .kind = kind, .key_id = key.id, .started_at = at(1795531446001)};
}

/// The material that comes of the intent.
inline MaterialRecord material_of(const IntentRecord& intent, int sequence = 0) {
  MaterialRecord material;
  material.object_name = intent.object_name;
  material.key_id = intent.key_id;
  material.material_id = intent.object_name.hex();
  material.sequence = sequence;
  material.check_value = {0x00, 0x01, 0xfe, 0xff};
  material.public_key = {0x30, 0x00, 0xff};
  material.created_at = at(1795531447002);
  if (intent.kind != IntentKind::kCreateKey) {
    material.rotation_type = intent.kind == IntentKind::kRotateOnDemand ? RotationType::kOnDemand
                                                                        : RotationType::kAutomatic;
    material.rotated_at = at(1795531448003);
    material.announced = false;
  }
  return material;
}

inline WrappingKeyRecord a_wrapping_key(const KeyRecord& key) {
  return {.object_name = draw_name(),
          .key_id = key.id,
          .algorithm = WrappingAlgorithm::kRsaAesKeyWrapSha256,
          .spec = KeySpec::kRsa4096,
          .expires_at = at(1795531453001)};
}

inline CustodyKeyRecord a_custody_key() {
  return {.object_name = draw_name(), .created_at = at(1795531454002)};
}

inline AliasRecord an_alias(const KeyRecord& key, const std::string& name) {
  return {.account = key.account,
          .region = key.region,
          .name = name,
          .target_key_id = key.id,
          .created_at = at(1795531449004),
          .updated_at = at(1795531450005)};
}

inline GrantRecord a_grant(const KeyRecord& key) {
  return {.grant_id = draw_name().hex(),
          .key_id = key.id,
          .name = "retry-1",
          .grantee = "arn:aws:iam::111122223333:user/grantee",
          .retiring_principal = "arn:aws:iam::111122223333:role/retirer",
          .issuing_account = "444455556666",
          .operations = {GrantOperation::kRetireGrant, GrantOperation::kEncrypt},
          .context_constraint = ContextConstraint::kSubset,
          .context = {{"", "no name"}, {"a 'b'", "\xc3\xbc"}},
          .source_arn = "arn:aws:s3:::bucket",
          .created_at = at(1795531452000)};
}

inline CredentialRecord a_credential(const std::string& access_key_id) {
  return {.access_key_id = access_key_id,
          .account = "111122223333",
          .principal = "user/admin",
          .sealed_secret = {0x80, 0x00, 0x7f},
          .status = CredentialStatus::kActive,
          .generation = 1,
          .created_at = at(1795531451006)};
}

inline void expect_same(const Contents& actual, const Contents& expected) {
  EXPECT_EQ(actual.keys, expected.keys);
  EXPECT_EQ(actual.unborn_keys, expected.unborn_keys);
  EXPECT_EQ(actual.materials, expected.materials);
  EXPECT_EQ(actual.intents, expected.intents);
  EXPECT_EQ(actual.wrapping_keys, expected.wrapping_keys);
  EXPECT_EQ(actual.custody_keys, expected.custody_keys);
  EXPECT_EQ(actual.aliases, expected.aliases);
  EXPECT_EQ(actual.credentials, expected.credentials);
  EXPECT_EQ(actual.grants, expected.grants);
  EXPECT_EQ(actual.usages, expected.usages);
}

/// What a failed call says, for a test's output.
template <typename T>
std::string reason(const Result<T>& result) {
  if (result) return "success";
  return std::string(error_row(result.error().code()).wire_name) + ": " + result.error().message() +
         " / " + result.error().detail();
}

#define EXPECT_OK(...)                                                                            \
  do {                                                                                            \
    const auto keyhold_result = (__VA_ARGS__);                                                    \
    EXPECT_TRUE(keyhold_result.has_value()) << ::keyhold::store::testing::reason(keyhold_result); \
  } while (false)

#define EXPECT_REFUSED(error_code, ...)                                                      \
  do {                                                                                       \
    const auto keyhold_result = (__VA_ARGS__);                                               \
    EXPECT_TRUE(keyhold_result.has_error() && keyhold_result.error().code() == (error_code)) \
        << ::keyhold::store::testing::reason(keyhold_result);                                \
  } while (false)

}  // namespace keyhold::store::testing

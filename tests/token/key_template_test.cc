#include "token/key_template.h"

#include <gtest/gtest.h>

#include <map>

namespace keyhold::token {
namespace {

constexpr CK_ATTRIBUTE_TYPE kUsages[] = {CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN,  CKA_VERIFY,
                                         CKA_WRAP,    CKA_UNWRAP,  CKA_DERIVE};

std::vector<CK_ATTRIBUTE_TYPE> allowed_usages(const pkcs11::Attributes& attributes) {
  std::vector<CK_ATTRIBUTE_TYPE> allowed;
  for (const CK_ATTRIBUTE_TYPE usage : kUsages) {
    const auto value = attributes.value(usage);
    EXPECT_TRUE(value.has_value()) << "unstated usage " << std::hex << usage;
    if (value && (*value)[0] == CK_TRUE) allowed.push_back(usage);
  }
  return allowed;
}

std::map<std::string, pkcs11::Attributes> every_template(const Profile& profile) {
  const Bytes id(32, 1);
  return {{"derived", derived_material_template(profile, Residence::kToken, id, "label")},
          {"direct", direct_material_template(profile, Residence::kToken, id, "label")},
          {"message", message_key_template(profile)},
          {"mac", mac_key_template(profile)}};
}

TEST(KeyTemplateTest, EveryKeyIsSensitiveNotExtractableAndFixed) {
  for (const auto& [name, attributes] : every_template({})) {
    SCOPED_TRACE(name);
    EXPECT_EQ((*attributes.value(CKA_SENSITIVE))[0], CK_TRUE);
    EXPECT_EQ((*attributes.value(CKA_PRIVATE))[0], CK_TRUE);
    EXPECT_EQ((*attributes.value(CKA_EXTRACTABLE))[0], CK_FALSE);
    EXPECT_EQ((*attributes.value(CKA_COPYABLE))[0], CK_FALSE);
    EXPECT_TRUE(attributes.has(CKA_VALUE_LEN));
    EXPECT_TRUE(attributes.has(CKA_ALLOWED_MECHANISMS));
    EXPECT_EQ(attributes.types().back(), CK_ATTRIBUTE_TYPE{CKA_MODIFIABLE});
    EXPECT_EQ((*attributes.value(CKA_MODIFIABLE))[0], CK_FALSE);
  }
}

TEST(KeyTemplateTest, EveryKeyHasTheUsageItNeedsAndNoOther) {
  auto all = every_template({});
  using Usages = std::vector<CK_ATTRIBUTE_TYPE>;
  EXPECT_EQ(allowed_usages(all["derived"]), Usages({CKA_DERIVE}));
  EXPECT_EQ(allowed_usages(all["direct"]), Usages({CKA_ENCRYPT, CKA_DECRYPT}));
  EXPECT_EQ(allowed_usages(all["message"]), Usages({CKA_ENCRYPT, CKA_DECRYPT}));
  EXPECT_EQ(allowed_usages(all["mac"]), Usages({CKA_SIGN}));
}

TEST(KeyTemplateTest, OnlyMaterialsLiveInTheToken) {
  for (const auto& [name, attributes] : every_template({})) {
    const bool material = name == "derived" || name == "direct";
    EXPECT_EQ((*attributes.value(CKA_TOKEN))[0], material ? CK_TRUE : CK_FALSE) << name;
    EXPECT_EQ(attributes.has(CKA_ID), material) << name;
  }
}

TEST(KeyTemplateTest, OnlyMessageKeysArePublicObjectsWhereTheProfileSaysSo) {
  Profile profile;
  profile.message_key_objects = MessageKeyObjects::kPublic;
  for (const auto& [name, attributes] : every_template(profile)) {
    const CK_BBOOL is_private = name == "message" ? CK_FALSE : CK_TRUE;
    EXPECT_EQ((*attributes.value(CKA_PRIVATE))[0], is_private) << name;
    EXPECT_EQ((*attributes.value(CKA_SENSITIVE))[0], CK_TRUE) << name;
    EXPECT_EQ((*attributes.value(CKA_EXTRACTABLE))[0], CK_FALSE) << name;
  }
}

TEST(KeyTemplateTest, WhatTheProfileDropsIsLeftOut) {
  Profile profile;
  profile.template_drop = {CKA_ALLOWED_MECHANISMS, CKA_COPYABLE, CKA_MODIFIABLE};
  for (const auto& [name, attributes] : every_template(profile)) {
    for (const auto type : profile.template_drop) EXPECT_FALSE(attributes.has(type)) << name;
    EXPECT_EQ((*attributes.value(CKA_SENSITIVE))[0], CK_TRUE) << name;
  }
}

}  // namespace
}  // namespace keyhold::token

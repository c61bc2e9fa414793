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

// Of wrapped custody.

constexpr MaterialKind kHmac{KeySpec::kHmac256, KeyUsage::kGenerateVerifyMac};

TEST(KeyTemplateTest, ACustodyKeyWrapsUnwrapsAndSealsAndCannotLeave) {
  const Profile profile;
  const Bytes id(32, 1);
  const auto wrapping = custody_wrapping_key_template(profile, Residence::kToken, id, "label");
  const auto sealing = custody_sealing_key_template(profile, Residence::kToken, id, "label");
  using Usages = std::vector<CK_ATTRIBUTE_TYPE>;
  EXPECT_EQ(allowed_usages(wrapping), Usages({CKA_WRAP, CKA_UNWRAP}));
  EXPECT_EQ(allowed_usages(sealing), Usages({CKA_SIGN}));
  for (const auto* attributes : {&wrapping, &sealing}) {
    EXPECT_EQ((*attributes->value(CKA_TOKEN))[0], CK_TRUE);
    EXPECT_EQ((*attributes->value(CKA_PRIVATE))[0], CK_TRUE);
    EXPECT_EQ((*attributes->value(CKA_SENSITIVE))[0], CK_TRUE);
    EXPECT_EQ((*attributes->value(CKA_EXTRACTABLE))[0], CK_FALSE);
    EXPECT_EQ((*attributes->value(CKA_MODIFIABLE))[0], CK_FALSE);
    EXPECT_EQ(attributes->types().back(), CK_ATTRIBUTE_TYPE{CKA_MODIFIABLE});
  }
  const auto* unwrapped = wrapping.nested_value(CKA_UNWRAP_TEMPLATE);
  ASSERT_NE(unwrapped, nullptr);
  EXPECT_EQ((*unwrapped->value(CKA_SENSITIVE))[0], CK_TRUE);
  EXPECT_EQ(unwrapped->size(), 1U);
}

TEST(KeyTemplateTest, OnlyWhatIsToBeWrappedCanLeaveAndItIsASessionObject) {
  const Profile profile;
  for (const auto& [kind, construction] : {std::pair{MaterialKind{}, Construction::kEcbDerived},
                                           std::pair{MaterialKind{}, Construction::kDirect},
                                           std::pair{kHmac, Construction::kNative}}) {
    const auto generated = generated_to_wrap_template(profile, kind);
    const auto again = unwrapped_to_wrap_template(profile, kind, construction);
    const auto used = unwrapped_to_use_template(profile, kind, construction);
    for (const auto* attributes : {&generated, &again, &used}) {
      EXPECT_EQ((*attributes->value(CKA_TOKEN))[0], CK_FALSE);
      EXPECT_EQ((*attributes->value(CKA_SENSITIVE))[0], CK_TRUE);
      EXPECT_EQ((*attributes->value(CKA_EXTRACTABLE))[0], attributes == &used ? CK_FALSE : CK_TRUE);
    }
    EXPECT_TRUE(generated.has(CKA_VALUE_LEN));
    EXPECT_FALSE(again.has(CKA_VALUE_LEN) || used.has(CKA_VALUE_LEN));
  }
}

TEST(KeyTemplateTest, WhatIsUnwrappedToBeUsedFollowsItsConstructionNotTheProfile) {
  using Usages = std::vector<CK_ATTRIBUTE_TYPE>;
  for (const Derivation derivation : {Derivation::kEcb, Derivation::kNone}) {
    Profile profile;
    profile.derivation = derivation;
    EXPECT_EQ(allowed_usages(unwrapped_to_use_template(profile, {}, Construction::kEcbDerived)),
              Usages({CKA_DERIVE}));
    EXPECT_EQ(allowed_usages(unwrapped_to_use_template(profile, {}, Construction::kDirect)),
              Usages({CKA_ENCRYPT, CKA_DECRYPT}));
  }
}

TEST(KeyTemplateTest, WhereSensitiveKeysCannotBeWrappedTheyAreNotSensitiveUntilTheyAre) {
  Profile profile;
  profile.sensitive_with_extractable = SensitiveWithExtractable::kNo;
  EXPECT_EQ((*generated_to_wrap_template(profile, {}).value(CKA_SENSITIVE))[0], CK_FALSE);
  EXPECT_EQ(
      (*unwrapped_to_use_template(profile, {}, Construction::kEcbDerived).value(CKA_SENSITIVE))[0],
      CK_TRUE);
  EXPECT_FALSE(
      custody_wrapping_key_template(profile, Residence::kToken, {}, {}).has(CKA_UNWRAP_TEMPLATE));
}

}  // namespace
}  // namespace keyhold::token

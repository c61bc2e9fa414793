#include "pkcs11/attributes.h"

#include <cstring>

#include "test_token.h"

namespace keyhold::pkcs11 {
namespace {

using ::testing::ElementsAre;

TEST(Attributes, KeepTheirOrderAlsoWhenAnAttributeIsSetAgain) {
  Attributes attributes;
  attributes.yes(CKA_TOKEN).number(CKA_CLASS, CKO_DATA).no(CKA_MODIFIABLE).no(CKA_TOKEN);
  EXPECT_THAT(attributes.types(), ElementsAre(CKA_TOKEN, CKA_CLASS, CKA_MODIFIABLE));
  EXPECT_THAT(copy(*attributes.value(CKA_TOKEN)), ElementsAre(CK_FALSE));
}

TEST(Attributes, RawFormHasTheBytesThatCryptokiTakes) {
  Attributes attributes;
  attributes.yes(CKA_TOKEN).number(CKA_CLASS, CKO_SECRET_KEY).text(CKA_LABEL, "lab");
  attributes.mechanisms(CKA_ALLOWED_MECHANISMS, {CKM_AES_GCM, CKM_AES_CMAC});
  Attributes::Raw raw = attributes.raw();
  ASSERT_EQ(raw.size(), 4U);
  EXPECT_EQ(raw.data()[0].ulValueLen, sizeof(CK_BBOOL));
  EXPECT_EQ(*static_cast<CK_BBOOL*>(raw.data()[0].pValue), CK_TRUE);
  EXPECT_EQ(raw.data()[1].ulValueLen, sizeof(CK_ULONG));
  EXPECT_EQ(*static_cast<CK_ULONG*>(raw.data()[1].pValue), CKO_SECRET_KEY);
  EXPECT_EQ(std::memcmp(raw.data()[2].pValue, "lab", 3), 0);
  EXPECT_EQ(raw.data()[3].ulValueLen, 2 * sizeof(CK_MECHANISM_TYPE));
  EXPECT_EQ(static_cast<CK_MECHANISM_TYPE*>(raw.data()[3].pValue)[1], CKM_AES_CMAC);
}

TEST(Attributes, EmptyValuesAndEmptyTemplatesAreNotNull) {
  Attributes attributes;
  EXPECT_NE(attributes.raw().data(), nullptr);
  attributes.bytes(CKA_ID, {});
  Attributes::Raw raw = attributes.raw();
  EXPECT_NE(raw.data()[0].pValue, nullptr);
  EXPECT_EQ(raw.data()[0].ulValueLen, 0U);
}

TEST(Attributes, NestedTemplatesSurviveCopiesOfTheirOwner) {
  Attributes copied;
  {
    Attributes inner;
    inner.no(CKA_EXTRACTABLE).yes(CKA_SENSITIVE);
    Attributes outer;
    outer.nested(CKA_UNWRAP_TEMPLATE, inner);
    copied = outer;
  }
  Attributes::Raw raw = copied.raw();
  ASSERT_EQ(raw.size(), 1U);
  ASSERT_EQ(raw.data()[0].ulValueLen, 2 * sizeof(CK_ATTRIBUTE));
  const auto* inner = static_cast<CK_ATTRIBUTE*>(raw.data()[0].pValue);
  EXPECT_EQ(inner[0].type, CKA_EXTRACTABLE);
  EXPECT_EQ(*static_cast<CK_BBOOL*>(inner[1].pValue), CK_TRUE);
  EXPECT_EQ(copied.value(CKA_UNWRAP_TEMPLATE), std::nullopt);
  EXPECT_TRUE(copied.nested_value(CKA_UNWRAP_TEMPLATE)->has(CKA_SENSITIVE));
}

TEST(Attributes, ARemovedAttributeIsGone) {
  Attributes attributes;
  attributes.yes(CKA_TOKEN).no(CKA_PRIVATE).remove(CKA_TOKEN);
  EXPECT_THAT(attributes.types(), ElementsAre(CKA_PRIVATE));
  EXPECT_FALSE(attributes.has(CKA_TOKEN));
  EXPECT_EQ(attributes.value(CKA_TOKEN), std::nullopt);
}

}  // namespace
}  // namespace keyhold::pkcs11

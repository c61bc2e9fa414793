#include "pkcs11/slot.h"

#include <algorithm>

#include "test_token.h"

namespace keyhold::pkcs11 {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

class Slots : public ::testing::Test {
 protected:
  std::unique_ptr<TestToken> token_ = TestToken::make(TokenKind::kSoftHsm);
  Module& module_ = token_->module();
};

TEST_F(Slots, AProvisionedTokenIsInitializedWithLabelSerialAndPin) {
  const TokenInfo info = must(token_info(module_, token_->slot()));
  EXPECT_EQ(info.label, "keyhold test");
  EXPECT_EQ(info.manufacturer, "SoftHSM project");
  EXPECT_EQ(info.serial.size(), 16U);
  EXPECT_TRUE(info.initialized());
  EXPECT_TRUE(info.user_pin_set());
  EXPECT_EQ(info.max_sessions, std::nullopt);
  EXPECT_EQ(info.min_pin_length, 4U);
}

TEST_F(Slots, BothPinsAreAsProvisioned) {
  Session session = must(Session::open(module_, token_->slot(), Access::kReadWrite));
  EXPECT_EQ(rv_of(session.login(CKU_USER, SecretBytes(kSoPin))), CKR_PIN_INCORRECT);
  EXPECT_TRUE(session.login(CKU_USER, SecretBytes(kUserPin)));
  must(session.logout());
  EXPECT_TRUE(session.login(CKU_SO, SecretBytes(kSoPin)));
}

TEST_F(Slots, ATokenIsFoundByEverythingGivenTogether) {
  const TokenInfo info = must(token_info(module_, token_->slot()));
  EXPECT_EQ(must(find_token(module_, {.label = info.label})).slot, info.slot);
  EXPECT_EQ(must(find_token(module_, {.serial = info.serial})).slot, info.slot);
  EXPECT_EQ(
      must(find_token(module_, {info.label, info.serial, info.manufacturer, info.model})).slot,
      info.slot);
  const auto uri = must(parse_token_uri("pkcs11:token=keyhold%20test;serial=" + info.serial));
  EXPECT_EQ(must(find_token(module_, TokenSelector::from(uri))).slot, info.slot);

  for (const TokenSelector& wrong :
       {TokenSelector{.label = "keyhold"}, TokenSelector{.label = info.label, .serial = "0"},
        TokenSelector{.label = info.label, .manufacturer = "x"},
        TokenSelector{.serial = info.serial, .model = "x"}}) {
    EXPECT_EQ(rv_of(find_token(module_, wrong)), CKR_TOKEN_NOT_PRESENT);
  }
}

TEST_F(Slots, NoMatchAndSeveralMatchesSaySoClearly) {
  const auto none = find_token(module_, {.label = "absent"});
  ASSERT_FALSE(none);
  EXPECT_THAT(none.error().text(), HasSubstr("no token with label 'absent'"));

  const SlotId empty = must(find_uninitialized_slot(module_));
  const TokenInfo twin = must(
      provision_token(module_, empty, "keyhold test", SecretBytes(kSoPin), SecretBytes(kUserPin)));
  const auto several = find_token(module_, {.label = "keyhold test"});
  ASSERT_FALSE(several);
  EXPECT_EQ(several.error().rv(), CKR_ARGUMENTS_BAD);
  EXPECT_THAT(several.error().text(), HasSubstr("2 tokens with label 'keyhold test'"));
  EXPECT_THAT(several.error().text(), HasSubstr(twin.serial));
  EXPECT_EQ(must(find_token(module_, {.label = "keyhold test", .serial = twin.serial})).slot,
            twin.slot);
}

TEST_F(Slots, ASelectorWithoutLabelAndSerialIsRefused) {
  EXPECT_EQ(rv_of(find_token(module_, {})), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(rv_of(find_token(module_, {.manufacturer = "SoftHSM project"})), CKR_ARGUMENTS_BAD);
}

TEST_F(Slots, UninitializedTokensAreNeverFoundByLabel) {
  EXPECT_EQ(rv_of(find_token(module_, {.label = ""})), CKR_TOKEN_NOT_PRESENT);
}

TEST_F(Slots, LabelsThatDoNotFitAreRefusedBeforeTheTokenIsTouched) {
  const SlotId slot = token_->slot();
  EXPECT_EQ(rv_of(init_token(module_, slot, SecretBytes(kSoPin), "")), CKR_ARGUMENTS_BAD);
  EXPECT_EQ(rv_of(init_token(module_, slot, SecretBytes(kSoPin), std::string(33, 'x'))),
            CKR_ARGUMENTS_BAD);
  EXPECT_EQ(must(token_info(module_, slot)).label, "keyhold test");
}

TEST_F(Slots, AWrongSecurityOfficerPinInitializesNothing) {
  EXPECT_EQ(rv_of(init_token(module_, token_->slot(), SecretBytes(kUserPin), "new")),
            CKR_PIN_INCORRECT);
  EXPECT_EQ(rv_of(init_pin(module_, token_->slot(), SecretBytes(kUserPin), SecretBytes(kUserPin))),
            CKR_PIN_INCORRECT);
  EXPECT_EQ(must(token_info(module_, token_->slot())).label, "keyhold test");
}

TEST_F(Slots, MechanismsAreListedAndDescribed) {
  const auto mechanisms = must(list_mechanisms(module_, token_->slot()));
  EXPECT_THAT(mechanisms, Contains(CKM_AES_GCM));
  EXPECT_THAT(mechanisms, Not(Contains(CKM_ECDSA_SHA256)));
  const CK_MECHANISM_INFO info = must(mechanism_info(module_, token_->slot(), CKM_AES_GCM));
  EXPECT_NE(info.flags & CKF_ENCRYPT, 0U);
  EXPECT_EQ(rv_of(mechanism_info(module_, token_->slot(), CKM_ECDSA_SHA256)),
            CKR_MECHANISM_INVALID);
}

TEST(SlotFaults, ATokenThatDoesNotAnswerIsNamedAndHidesNoOther) {
  const Faults faults;
  auto token = TestToken::make(TokenKind::kSoftHsmBehindFaults);
  faults.script("C_GetTokenInfo * CKR_GENERAL_ERROR");
  const auto missing = find_token(token->module(), {.label = "keyhold test"});
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().rv(), CKR_TOKEN_NOT_PRESENT);
  EXPECT_THAT(missing.error().text(), HasSubstr("CKR_GENERAL_ERROR"));

  const auto slots = must(list_slots(token->module(), SlotFilter::kWithToken));
  const auto place = std::ranges::find(slots, token->slot()) - slots.begin();
  const auto other = place == 0 ? 2 : 1;
  faults.script("C_GetTokenInfo " + std::to_string(other) + " CKR_GENERAL_ERROR");
  EXPECT_EQ(must(find_token(token->module(), {.label = "keyhold test"})).slot, token->slot());
}

}  // namespace
}  // namespace keyhold::pkcs11

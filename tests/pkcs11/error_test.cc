#include "pkcs11/error.h"

#include <p11-kit/p11-kit.h>

#include <algorithm>
#include <set>
#include <string>

#include "test_token.h"

namespace keyhold::pkcs11 {
namespace {

using ::testing::ElementsAre;

TEST(RvTable, IsInTheOrderOfItsNumbersWithoutRepetition) {
  const auto table = rv_table();
  const auto misplaced =
      std::ranges::adjacent_find(table, std::ranges::greater_equal(), &RvRow::rv);
  EXPECT_TRUE(misplaced == table.end()) << misplaced->name;
  std::set<std::string_view> names;
  for (const RvRow& row : table) EXPECT_TRUE(names.insert(row.name).second) << row.name;
}

TEST(RvTable, HasEveryValueThatP11KitKnows) {
  const std::string unknown = p11_kit_strerror(CKR_VENDOR_DEFINED - 1);
  std::size_t known = 0;
  for (CK_RV rv = 1; rv < 0x1000; ++rv) {
    if (p11_kit_strerror(rv) == unknown) continue;
    ++known;
    EXPECT_NE(rv_name(rv), "unknown") << rv << " " << p11_kit_strerror(rv);
  }
  EXPECT_GT(known, 50U);
}

TEST(RvTable, NamesLeadBackToTheirValues) {
  for (const RvRow& row : rv_table()) {
    EXPECT_TRUE(row.name.starts_with("CKR_"));
    EXPECT_EQ(rv_name(row.rv), row.name);
    EXPECT_EQ(rv_of_name(row.name), row.rv);
  }
  EXPECT_EQ(rv_of_name("CKR_NO_SUCH"), std::nullopt);
  EXPECT_EQ(rv_of_name(""), std::nullopt);
}

TEST(Error, TextHasFunctionNameHexAndDetail) {
  EXPECT_EQ(Error(CKR_PIN_INCORRECT, "C_Login").text(), "C_Login: CKR_PIN_INCORRECT (0x000000a0)");
  EXPECT_EQ(Error(CKR_PIN_INCORRECT, "C_Login", "why").text(),
            "C_Login: CKR_PIN_INCORRECT (0x000000a0): why");
  EXPECT_EQ(Error(0x81000071, "C_Sign").text(), "C_Sign: CKR_VENDOR_DEFINED (0x81000071)");
  EXPECT_EQ(Error(0x7777, "C_Sign").text(), "C_Sign: unknown (0x00007777)");
}

TEST(Error, UnknownAndVendorValuesBreakTheSession) {
  EXPECT_TRUE(Error(0x7777, "C_Encrypt").poisons_session());
  EXPECT_TRUE(Error(0x81000071, "C_Decrypt").poisons_session());
}

TEST(Error, WhatTheCallerBroughtKeepsTheSession) {
  for (const CK_RV rv : {CKR_ENCRYPTED_DATA_INVALID, CKR_ENCRYPTED_DATA_LEN_RANGE, CKR_DATA_INVALID,
                         CKR_DATA_LEN_RANGE, CKR_SIGNATURE_INVALID, CKR_SIGNATURE_LEN_RANGE}) {
    const Error error(rv, "C_Decrypt");
    EXPECT_EQ(error.fate(), Fate::kCaller) << error.text();
    EXPECT_FALSE(error.poisons_session()) << error.text();
  }
}

TEST(Error, AnswersThatMayLeaveAnOperationActiveBreakTheSession) {
  for (const CK_RV rv : {CKR_BUFFER_TOO_SMALL, CKR_ARGUMENTS_BAD, CKR_OPERATION_ACTIVE,
                         CKR_GENERAL_ERROR, CKR_FUNCTION_FAILED, CKR_SESSION_HANDLE_INVALID,
                         CKR_DEVICE_ERROR, CKR_CRYPTOKI_NOT_INITIALIZED}) {
    EXPECT_TRUE(Error(rv, "C_Encrypt").poisons_session()) << rv_name(rv);
  }
}

TEST(Error, DecryptsGeneralErrorKeepsTheSessionAndIsAmbiguous) {
  for (const char* function : {"C_Decrypt", "C_UnwrapKey", "C_DeriveKey", "C_Verify"}) {
    const Error error(CKR_GENERAL_ERROR, function);
    EXPECT_FALSE(error.poisons_session()) << function;
    EXPECT_TRUE(error.ambiguous()) << function;
  }
  EXPECT_FALSE(Error(CKR_GENERAL_ERROR, "C_Encrypt").ambiguous());
  EXPECT_FALSE(Error(CKR_ENCRYPTED_DATA_INVALID, "C_Decrypt").ambiguous());
}

TEST(Error, AWrongSignatureThatKryopticCallsADeviceErrorIsNotALostToken) {
  EXPECT_FALSE(Error(CKR_DEVICE_ERROR, "C_Verify").token_gone());
  EXPECT_TRUE(Error(CKR_DEVICE_ERROR, "C_Verify").ambiguous());
  EXPECT_TRUE(Error(CKR_DEVICE_ERROR, "C_Sign").token_gone());
}

TEST(Error, PredicatesHoldForExactlyTheirValues) {
  std::vector<std::string_view> gone, stale, pin, lost, exhausted;
  for (const RvRow& row : rv_table()) {
    const Error error(row.rv, "C_Encrypt");
    if (error.token_gone()) gone.push_back(row.name);
    if (error.handle_stale()) stale.push_back(row.name);
    if (error.pin_refused()) pin.push_back(row.name);
    if (error.login_lost()) lost.push_back(row.name);
    if (error.sessions_exhausted()) exhausted.push_back(row.name);
  }
  EXPECT_THAT(gone, ElementsAre("CKR_SLOT_ID_INVALID", "CKR_DEVICE_ERROR", "CKR_DEVICE_REMOVED",
                                "CKR_TOKEN_NOT_PRESENT", "CKR_TOKEN_NOT_RECOGNIZED",
                                "CKR_CRYPTOKI_NOT_INITIALIZED", "CKR_FIPS_SELF_TEST_FAILED",
                                "CKR_LIBRARY_LOAD_FAILED"));
  EXPECT_THAT(stale,
              ElementsAre("CKR_KEY_HANDLE_INVALID", "CKR_OBJECT_HANDLE_INVALID",
                          "CKR_UNWRAPPING_KEY_HANDLE_INVALID", "CKR_WRAPPING_KEY_HANDLE_INVALID"));
  EXPECT_THAT(pin,
              ElementsAre("CKR_PIN_INCORRECT", "CKR_PIN_INVALID", "CKR_PIN_LEN_RANGE",
                          "CKR_PIN_EXPIRED", "CKR_PIN_LOCKED", "CKR_USER_PIN_NOT_INITIALIZED"));
  EXPECT_THAT(lost, ElementsAre("CKR_USER_NOT_LOGGED_IN"));
  EXPECT_THAT(exhausted, ElementsAre("CKR_SESSION_COUNT"));
}

}  // namespace
}  // namespace keyhold::pkcs11

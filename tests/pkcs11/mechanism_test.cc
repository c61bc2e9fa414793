#include "pkcs11/mechanism.h"

#include "test_token.h"

namespace keyhold::pkcs11 {
namespace {

using ::testing::ElementsAre;

TEST(Mechanism, ParametersStayWhereTheyAreWhenItMoves) {
  Mechanism first = must(Mechanism::gcm(Bytes(12, 7), view("aad")));
  const Mechanism second = std::move(first);
  const auto* parameters = static_cast<const CK_GCM_PARAMS*>(second.get()->pParameter);
  EXPECT_EQ(second.get()->ulParameterLen, sizeof(CK_GCM_PARAMS));
  EXPECT_EQ(parameters->iv_len, 12U);
  EXPECT_EQ(parameters->iv_bits, 96U);
  EXPECT_EQ(parameters->aad_len, 3U);
  EXPECT_EQ(parameters->tag_bits, 128U);
  EXPECT_EQ(copy(second.iv()), Bytes(12, 7));
}

TEST(Mechanism, ParametersAreCopiesOfWhatWasGiven) {
  Bytes iv(12, 1);
  const Mechanism mechanism = must(Mechanism::gcm(iv, {}));
  iv.assign(12, 2);
  EXPECT_EQ(copy(mechanism.iv()), Bytes(12, 1));
}

TEST(Mechanism, AnEmptyAadIsNotNull) {
  const Mechanism mechanism = must(Mechanism::gcm(Bytes(12), {}));
  EXPECT_NE(static_cast<const CK_GCM_PARAMS*>(mechanism.get()->pParameter)->aad_ptr, nullptr);
}

TEST(Mechanism, GcmRefusesParametersThatWouldEncryptWithoutProtection) {
  EXPECT_EQ(rv_of(Mechanism::gcm({}, {})), CKR_MECHANISM_PARAM_INVALID);
  EXPECT_EQ(rv_of(Mechanism::gcm(Bytes(257), {})), CKR_MECHANISM_PARAM_INVALID);
  for (const CK_ULONG bits : {0UL, 8UL, 64UL, 88UL, 97UL, 136UL}) {
    EXPECT_EQ(rv_of(Mechanism::gcm(Bytes(12), {}, bits)), CKR_MECHANISM_PARAM_INVALID) << bits;
  }
  for (const CK_ULONG bits : {96UL, 104UL, 112UL, 120UL, 128UL}) {
    EXPECT_TRUE(Mechanism::gcm(Bytes(12), {}, bits)) << bits;
  }
}

TEST(Mechanism, OthersRefuseParametersThatModulesChokeOn) {
  EXPECT_EQ(rv_of(Mechanism::ecb_encrypt_data({})), CKR_MECHANISM_PARAM_INVALID);
  EXPECT_EQ(rv_of(Mechanism::ecb_encrypt_data(Bytes(17))), CKR_MECHANISM_PARAM_INVALID);
  EXPECT_EQ(rv_of(Mechanism::ecdh({})), CKR_MECHANISM_PARAM_INVALID);
  EXPECT_EQ(rv_of(Mechanism::oaep(CKM_AES_GCM)), CKR_MECHANISM_PARAM_INVALID);
  EXPECT_EQ(rv_of(Mechanism::pss(CKM_RSA_PKCS_PSS, CKM_MD5, 16)), CKR_MECHANISM_PARAM_INVALID);
}

TEST(Mechanism, OaepAndPssUseMgf1OverTheirOwnHash) {
  const Mechanism oaep = must(Mechanism::oaep(CKM_SHA256));
  const auto* o = static_cast<const CK_RSA_PKCS_OAEP_PARAMS*>(oaep.get()->pParameter);
  EXPECT_EQ(o->mgf, CKG_MGF1_SHA256);
  EXPECT_EQ(o->source, CKZ_DATA_SPECIFIED);
  const Mechanism pss = must(Mechanism::pss(CKM_RSA_PKCS_PSS, CKM_SHA384, 48));
  const auto* p = static_cast<const CK_RSA_PKCS_PSS_PARAMS*>(pss.get()->pParameter);
  EXPECT_EQ(p->mgf, CKG_MGF1_SHA384);
  EXPECT_EQ(p->s_len, 48U);
}

}  // namespace
}  // namespace keyhold::pkcs11

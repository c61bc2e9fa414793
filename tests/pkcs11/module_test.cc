#include "pkcs11/module.h"

#include "pkcs11/crypto.h"
#include "test_token.h"

namespace keyhold::pkcs11 {
namespace {

using ::testing::HasSubstr;

TEST(Module, AMissingFileIsALoadErrorThatNamesIt) {
  const auto loaded = Module::load({.path = "/nonexistent/module.so"});
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().rv(), CKR_LIBRARY_LOAD_FAILED);
  EXPECT_THAT(loaded.error().text(), HasSubstr("/nonexistent/module.so"));
}

TEST(Module, ALibraryThatIsNoModuleIsALoadError) {
  const auto loaded = Module::load({.path = "/lib/x86_64-linux-gnu/libm.so.6"});
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().rv(), CKR_LIBRARY_LOAD_FAILED);
}

TEST(Module, SaysWhatItIs) {
  auto token = TestToken::make(TokenKind::kSoftHsm);
  const ModuleInfo info = must(token->module().info());
  EXPECT_EQ(info.cryptoki_version.major, 2);
  EXPECT_EQ(info.cryptoki_version.minor, 40);
  EXPECT_EQ(info.manufacturer, "SoftHSM");
}

TEST(Module, AfterFinalizeNothingIsCalled) {
  auto token = TestToken::make(TokenKind::kSoftHsm);
  Module& module = token->module();
  Session session = token->session();
  must(module.finalize());
  EXPECT_FALSE(module.initialized());
  EXPECT_TRUE(module.finalize());
  EXPECT_EQ(rv_of(module.info()), CKR_CRYPTOKI_NOT_INITIALIZED);
  EXPECT_EQ(rv_of(session.info()), CKR_SESSION_HANDLE_INVALID);
  EXPECT_TRUE(session.stale());
  EXPECT_TRUE(session.broken());
  must(module.reinitialize());
  EXPECT_TRUE(module.info());
  EXPECT_EQ(rv_of(session.info()), CKR_SESSION_HANDLE_INVALID);
}

class ModuleOf : public ::testing::TestWithParam<TokenKind> {};

TEST_P(ModuleOf, ReinitializeRaisesBothGenerationsAndTheTokenIsThereAgain) {
  auto token = TestToken::make(GetParam());
  if (!token) GTEST_SKIP();
  Module& module = token->module();
  const auto generation = module.generation();
  const auto objects = module.object_generation();
  for (int i = 0; i < 5; ++i) must(module.reinitialize());
  EXPECT_EQ(module.generation(), generation + 5);
  EXPECT_EQ(module.object_generation(), objects + 5);
  Session session = token->session();
  EXPECT_TRUE(generate_key(session, Mechanism::plain(CKM_AES_KEY_GEN), aes_key_attributes()));
}

TEST_P(ModuleOf, AHandleOfAnOlderGenerationIsRefusedEvenIfItsNumberMeansAnotherKeyNow) {
  auto token = TestToken::make(GetParam());
  if (!token) GTEST_SKIP();
  ObjectHandle old;
  {
    Session session = token->session();
    old = must(generate_key(session, Mechanism::plain(CKM_AES_KEY_GEN), aes_key_attributes()));
  }
  must(token->module().reinitialize());
  Session session = token->session();
  const ObjectHandle fresh =
      must(generate_key(session, Mechanism::plain(CKM_AES_KEY_GEN), aes_key_attributes()));
  EXPECT_NE(old.generation, fresh.generation);
  const ObjectHandle impostor{fresh.value, old.generation};
  const auto answer = encrypt(session, must(Mechanism::gcm(Bytes(12), {})), impostor, view("data"));
  ASSERT_FALSE(answer);
  EXPECT_TRUE(answer.error().handle_stale());
  EXPECT_FALSE(session.broken());
  EXPECT_TRUE(encrypt(session, must(Mechanism::gcm(Bytes(12), {})), fresh, view("data")));
}

INSTANTIATE_TEST_SUITE_P(Tokens, ModuleOf, ::testing::Values(TokenKind::kSoftHsm, TokenKind::kNss),
                         [](const auto& param) { return name_of(param.param); });

TEST(Module, AReinitializeThatFailsLeavesItUninitializedUntilOneSucceeds) {
  const Faults faults;
  auto token = TestToken::make(TokenKind::kSoftHsmBehindFaults);
  Module& module = token->module();
  faults.script("C_Initialize 1 CKR_DEVICE_ERROR");
  EXPECT_EQ(rv_of(module.reinitialize()), CKR_DEVICE_ERROR);
  EXPECT_FALSE(module.initialized());
  EXPECT_EQ(rv_of(module.info()), CKR_CRYPTOKI_NOT_INITIALIZED);
  EXPECT_TRUE(module.reinitialize());
  EXPECT_TRUE(module.info());
}

TEST(Module, AFailedFinalizeIsTriedAgainSoThatTheModuleReallyStartsAnew) {
  const Faults faults;
  auto token = TestToken::make(TokenKind::kSoftHsmBehindFaults);
  auto pool = token->pool();
  EXPECT_TRUE(pool->lease());
  faults.script("C_Finalize 1 CKR_DEVICE_ERROR");
  faults.clear_trace();
  EXPECT_TRUE(token->module().reinitialize());
  EXPECT_THAT(faults.trace(), HasSubstr("C_Initialize 0x00000000 CKR_OK\n"));
  // A module that had gone on would still know the login.
  Session session = must(Session::open(token->module(), token->slot(), Access::kReadWrite));
  EXPECT_EQ(must(session.info()).state, CKS_RW_PUBLIC_SESSION);
  EXPECT_EQ(must(must(pool->lease())->info()).state, CKS_RW_USER_FUNCTIONS);
}

TEST(Module, AModuleThatCannotBeFinalizedIsAnErrorUntilItCan) {
  const Faults faults;
  auto token = TestToken::make(TokenKind::kSoftHsmBehindFaults);
  faults.script("C_Finalize * CKR_DEVICE_ERROR");
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(rv_of(token->module().reinitialize()), CKR_DEVICE_ERROR);
    EXPECT_EQ(rv_of(token->module().info()), CKR_CRYPTOKI_NOT_INITIALIZED);
  }
  faults.no_script();
  EXPECT_TRUE(token->module().reinitialize());
  Session session = must(Session::open(token->module(), token->slot(), Access::kReadWrite));
  EXPECT_EQ(must(session.info()).state, CKS_RW_PUBLIC_SESSION);
}

TEST(Module, OneThatAnotherPartOfTheProcessInitializedIsUsedAndLeftToIt) {
  auto token = TestToken::make(TokenKind::kNss);
  if (!token) GTEST_SKIP();
  Session session = token->session();
  {
    // Its arguments are not looked at, since C_Initialize refuses before.
    auto second = must(Module::load({.path = kNssPath, .init_reserved = "flags="}));
    EXPECT_TRUE(second->info());
    EXPECT_EQ(rv_of(second->reinitialize()), CKR_CRYPTOKI_ALREADY_INITIALIZED);
    EXPECT_TRUE(second->finalize());
    EXPECT_EQ(rv_of(second->info()), CKR_CRYPTOKI_NOT_INITIALIZED);
  }
  EXPECT_TRUE(session.info());
}

}  // namespace
}  // namespace keyhold::pkcs11

// Tokens of other kinds, imitated by the fault module before SoftHSM, and the options of a profile
// that reach them: each works with its option, and is refused without.
#include <algorithm>
#include <set>
#include <thread>

#include "tests/support/brought_material.h"
#include "tests/support/fault_files.h"
#include "tests/support/places.h"
#include "tests/support/wrapped_material.h"
#include "token/sealer.h"
#include "token/token_check.h"
#include "token_fixture.h"

namespace keyhold::token::test {
namespace {

using keyhold::test::FaultFiles;

class ImitationTest : public TokenTest {
 protected:
  void SetUp() override {
    files_.no_faults();
    TokenTest::SetUp();
  }
  void TearDown() override {
    files_.no_faults();
    TokenTest::TearDown();
  }
  std::string module_path() const override { return keyhold::test::fault_module(); }

  void imitate(std::string_view script) {
    close();
    files_.set_script(script);
  }
  Result<std::unique_ptr<Pkcs11Token>> try_open(std::vector<std::string> overrides,
                                                std::string_view pin = kPin) {
    return Pkcs11Token::open(profile(std::move(overrides)), Secret(pin), clock_, random_);
  }
  void expect_refused(std::vector<std::string> overrides, std::string_view word) {
    const auto opened = try_open(std::move(overrides));
    ASSERT_FALSE(opened) << "it was taken";
    EXPECT_NE(why(opened).find(word), std::string::npos) << why(opened);
  }
  /// Materials of either construction encrypt and decrypt, and IVs are fresh.
  void expect_messages(std::size_t iv_size) {
    const Material material = generate();
    ASSERT_EQ(token_->iv_size(), iv_size);
    std::set<Bytes> ivs;
    for (int i = 0; i < 8; ++i) {
      const auto key = token_->encryption_key(material);
      ASSERT_TRUE(key) << why(key);
      Bytes iv(iv_size);
      random_.fill(iv);
      const auto ciphertext = token_->encrypt(**key, iv, as_bytes("aad"), as_bytes("plaintext"));
      ASSERT_TRUE(ciphertext) << why(ciphertext);
      EXPECT_EQ(ciphertext->size(), 9 + kGcmTagSize);
      EXPECT_TRUE(ivs.insert(iv).second) << "an IV came twice";
      const auto opener = token_->decryption_key(material, (*key)->salt(), (*key)->header_tag());
      ASSERT_TRUE(opener) << why(opener);
      const auto plaintext = token_->decrypt(**opener, iv, as_bytes("aad"), *ciphertext);
      ASSERT_TRUE(plaintext) << why(plaintext);
      EXPECT_EQ(plaintext->text(), "plaintext");
    }
    EXPECT_TRUE(token_->check_material(material));
    Sealer sealer(*token_, material, random_);
    const auto sealed = sealer.seal(as_bytes("secret"), as_bytes("whose"));
    ASSERT_TRUE(sealed) << why(sealed);
    const auto opened = sealer.open(*sealed, as_bytes("whose"));
    ASSERT_TRUE(opened) << why(opened);
    EXPECT_EQ(opened->text(), "secret");
  }
  Result<TokenCheck> look(std::vector<std::string> overrides = {}) {
    return check_token(profile(std::move(overrides)), Secret(std::string_view(kPin)),
                       ProbedSizes::kOne, random_);
  }

  FaultFiles& files_ = FaultFiles::of_process();
};

TEST_F(ImitationTest, IvsThatTheTokenPutsIntoABuffer) {
  imitate("C_EncryptInit * imitate:iv-in-buffer\n");
  expect_refused({}, "CKR_MECHANISM_PARAM_INVALID");
  for (const char* derivation : {"keys.derivation=ecb", "keys.derivation=none"}) {
    open({"keys.gcm_iv=token-in-buffer", derivation});
    expect_messages(12);
    close();
  }
  const auto seen = look();
  ASSERT_TRUE(seen) << why(seen);
  EXPECT_TRUE(seen->is_admitted()) << seen->refusal;
  EXPECT_EQ(seen->measured.gcm_iv, GcmIv::kInBuffer);
  EXPECT_NE(seen->draft.find("gcm_iv = \"token-in-buffer\""), std::string::npos);
}

TEST_F(ImitationTest, IvsThatTheTokenPutsBehindTheMessage) {
  imitate("C_EncryptInit * imitate:iv-behind-message\n");
  expect_refused({}, "CKR_MECHANISM_PARAM_INVALID");
  expect_refused({"keys.gcm_iv=token-in-buffer"}, "CKR_MECHANISM_PARAM_INVALID");
  for (const char* derivation : {"keys.derivation=ecb", "keys.derivation=none"}) {
    open({"keys.gcm_iv=token-behind-message", derivation});
    expect_messages(16);
    close();
  }
  const auto seen = look();
  ASSERT_TRUE(seen) << why(seen);
  EXPECT_EQ(seen->measured.gcm_iv, GcmIv::kBehindMessage);
}

TEST_F(ImitationTest, MaterialThatCannotBeToldFromAnotherIsNotImported) {
  imitate("C_EncryptInit * imitate:iv-in-buffer\n");
  const MaterialKind symmetric{};
  const MaterialKind hmac{KeySpec::kHmac256, KeyUsage::kGenerateVerifyMac};
  open({"keys.gcm_iv=token-in-buffer", "keys.derivation=none"});
  const auto refused = token_->check_import(symmetric, WrappingAlgorithm::kRsaesOaepSha1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), ErrorCode::kUnsupportedOperation);
  EXPECT_NE(refused.error().message().find("nothing tells one material from another"),
            std::string::npos);
  EXPECT_TRUE(token_->check_import(hmac, WrappingAlgorithm::kRsaesOaepSha1));
  close();
  open({"keys.gcm_iv=token-in-buffer", "keys.derivation=ecb"});
  EXPECT_TRUE(token_->check_import(symmetric, WrappingAlgorithm::kRsaesOaepSha1));
}

TEST_F(ImitationTest, ADeviceErrorThatMeansABadWrappedKey) {
  const WrappingKey with{draw_name(), KeySpec::kRsa2048, WrappingAlgorithm::kRsaesOaepSha1};
  open();
  const auto public_key = token_->generate_wrapping_key(with);
  ASSERT_TRUE(public_key) << why(public_key);
  const auto brought = keyhold::test::brought_secret(KeySpec::kHmac256, 32);
  const Bytes wrapped =
      keyhold::test::wrap_material(*public_key, with.algorithm, brought.bytes.view());
  const auto code_under_fault = [&] {
    files_.set_script("C_UnwrapKey 1 CKR_DEVICE_ERROR\n");
    const auto refused = token_->unwrap_material(with, brought.kind, wrapped);
    files_.no_faults();
    return refused ? ErrorCode::kValidation : refused.error().code();
  };
  EXPECT_EQ(code_under_fault(), ErrorCode::kKeyUnavailable);
  close();
  open({"keys.unwrap_bad_codes=[\"CKR_DEVICE_ERROR\"]"});
  EXPECT_EQ(code_under_fault(), ErrorCode::kInvalidCiphertext);
  // The token is not taken for lost, so the next call is served.
  const auto good = token_->unwrap_material(with, brought.kind, wrapped);
  EXPECT_TRUE(good) << why(good);
}

TEST_F(ImitationTest, CodesOfItsOwnForBadInputAreMeasuredAndInTheDraft) {
  imitate(
      "C_Decrypt * imitate:refuses-as=2147483649\n"
      "C_UnwrapKey * imitate:refuses-as=48\n");
  const auto seen = look();
  ASSERT_TRUE(seen) << why(seen);
  EXPECT_EQ(seen->measured.decrypt_bad_codes, std::vector<ReturnCode>{0x80000001});
  EXPECT_EQ(seen->measured.unwrap_bad_codes, std::vector<ReturnCode>{CKR_DEVICE_ERROR});
  std::size_t in_blocks = 0;
  std::size_t in_wrapped_keys = 0;
  for (const AdmissionAct& act : seen->bad_input) {
    EXPECT_NE(act.outcome, Outcome::kRefused) << act.act;
    if (act.outcome != Outcome::kSucceeded) continue;
    in_blocks += act.detail == "C_Decrypt: CKR_VENDOR_DEFINED (0x80000001)" ? 1U : 0U;
    in_wrapped_keys += act.detail == "C_UnwrapKey: CKR_DEVICE_ERROR (0x00000030)" ? 1U : 0U;
  }
  EXPECT_EQ(in_blocks, 2U) << "OAEP with SHA-1, and the bare operation";
  EXPECT_EQ(in_wrapped_keys, 3U) << "OAEP with SHA-1, and two of AES key wrap";
  const auto draft = parse_profile(seen->draft);
  ASSERT_TRUE(draft) << why(draft);
  EXPECT_EQ(draft->decrypt_bad_codes, seen->measured.decrypt_bad_codes);
  EXPECT_EQ(draft->unwrap_bad_codes, seen->measured.unwrap_bad_codes);
}

TEST_F(ImitationTest, CodesThatSayBadWrappedKeyEverywhereNeedNoLineOfTheDraft) {
  imitate("C_UnwrapKey * imitate:refuses-as=272\n");  // CKR_WRAPPED_KEY_INVALID
  // What the profile to begin with says is not taken for measured.
  const auto seen = look({"keys.unwrap_bad_codes=[\"CKR_DEVICE_ERROR\"]"});
  ASSERT_TRUE(seen) << why(seen);
  EXPECT_TRUE(seen->measured.unwrap_bad_codes.empty());
  EXPECT_EQ(seen->draft.find("unwrap_bad_codes"), std::string::npos) << seen->draft;
}

TEST_F(ImitationTest, ATokenThatUsesTheCallersIvIsNotTakenForOneThatMakesItsOwn) {
  expect_refused({"keys.gcm_iv=token-in-buffer"}, "made no IV");
  expect_refused({"keys.gcm_iv=token-behind-message"}, "CKR_MECHANISM_PARAM_INVALID");
}

TEST_F(ImitationTest, WhatWasEncryptedUnderEitherKindOfIvIsDecryptedByBoth) {
  open();
  const Material material = generate();
  const auto key = token_->encryption_key(material);
  ASSERT_TRUE(key) << why(key);
  Bytes iv(kGcmIvSize);
  random_.fill(iv);
  const auto ciphertext = token_->encrypt(**key, iv, {}, as_bytes("plaintext"));
  ASSERT_TRUE(ciphertext) << why(ciphertext);
  const Bytes salt((*key)->salt().begin(), (*key)->salt().end());
  const Bytes tag((*key)->header_tag().begin(), (*key)->header_tag().end());
  imitate("C_EncryptInit * imitate:iv-behind-message\n");
  open({"keys.gcm_iv=token-behind-message"});
  const auto opener = token_->decryption_key(material, salt, tag);
  ASSERT_TRUE(opener) << why(opener);
  EXPECT_TRUE(token_->decrypt(**opener, iv, {}, *ciphertext));
}

TEST_F(ImitationTest, APinInAFormOfTheTokens) {
  imitate("C_Login * imitate:pin-prefix=CU-name:\n");
  // One that is refused is not tried in another form: too many wrong ones lock a token.
  files_.forget_calls();
  expect_refused({}, "CKR_PIN_INCORRECT");
  EXPECT_EQ(files_.calls("C_Login"), 1U);
  open({"token.pin_format=CU-name:{pin}"});
  generate();
  close();
  const auto seen = look();
  ASSERT_FALSE(seen);
  EXPECT_NE(seen.error().message().find("token.pin_format"), std::string::npos) << why(seen);
}

TEST_F(ImitationTest, AModuleThatWantsFunctionsToLockByAndOneThatRefusesThem) {
  imitate("C_Initialize * imitate:wants-callbacks\n");
  expect_refused({"module.init_locking=os"}, "CKR_CANT_LOCK");
  open();
  generate();
  imitate("C_Initialize * imitate:refuses-callbacks\n");
  expect_refused({}, "CKR_ARGUMENTS_BAD");
  open({"module.init_locking=os"});
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 50; ++j) EXPECT_TRUE(token_->random(32));
    });
  }
  for (auto& thread : threads) thread.join();
  generate();
}

TEST_F(ImitationTest, SessionsThatMayNotBeOpenedFast) {
  imitate("C_OpenSession * imitate:spaced-ms=30\n");
  // So much longer that a thread which wakes late on a busy machine comes before the next one.
  open(
      {"sessions.open_interval=200ms", "recovery.backoff_first=5ms", "recovery.backoff_last=20ms"});
  files_.forget_calls();
  // As many at once as there are threads.
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 20; ++j) EXPECT_TRUE(token_->random(32));
    });
  }
  for (auto& thread : threads) thread.join();
  generate();
}

TEST_F(ImitationTest, ATokenOfFewSessions) {
  imitate("C_OpenSession * imitate:at-most=6\n");
  open({"sessions.max_sessions=6", "sessions.calls_at_once=4"});
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 20; ++j) EXPECT_TRUE(token_->random(32));
    });
  }
  for (auto& thread : threads) thread.join();
  close();
  const auto seen = look({"sessions.max_sessions=6", "sessions.calls_at_once=4"});
  ASSERT_TRUE(seen) << why(seen);
  EXPECT_EQ(seen->measured.sessions, 6U);
  EXPECT_NE(seen->draft.find("max_sessions = 6\n"), std::string::npos) << seen->draft;
}

TEST_F(ImitationTest, HmacKeysOfATypeForEachHash) {
  imitate("C_GenerateKey * imitate:hmac-keys-of-hash\n");
  const MaterialKind kind{KeySpec::kHmac512, KeyUsage::kGenerateVerifyMac};
  open();
  EXPECT_FALSE(token_->check_kind(kind));
  close();
  open({"keys.hmac_key_type=of-hash"});
  ASSERT_TRUE(token_->check_kind(kind));
  const auto made = token_->generate_material(draw_name(), "hmac", kind);
  EXPECT_TRUE(made) << why(made);
  close();
  const auto seen = look();
  ASSERT_TRUE(seen) << why(seen);
  EXPECT_EQ(seen->measured.hmac_key_type, HmacKeyType::kOfHash);
}

TEST_F(ImitationTest, ATokenThatCutsNamesOffIsRefused) {
  imitate("C_GenerateKey * imitate:short-id=2\n");
  expect_refused({}, "keep a name of 32 bytes");
  const auto seen = look();
  ASSERT_TRUE(seen) << why(seen);
  EXPECT_NE(seen->refusal.find("2 bytes"), std::string::npos) << seen->refusal;
}

// What wrapped custody asks of tokens that wrap in other ways.

class WrappingImitationTest : public ImitationTest {
 protected:
  /// A material is wrapped, used after a restart, and wrapped anew.
  void expect_wrapping(const std::vector<std::string>& overrides) {
    custody_ = Custody::kWrapped;
    custody_key_.reset();
    open(overrides);
    const Material symmetric = generate();
    const Material mac_key = generate("mac", {KeySpec::kHmac256, KeyUsage::kGenerateVerifyMac});
    close();
    open(overrides);
    EXPECT_TRUE(token_->check_kind({}));
    custody_key_.reset();
    for (const Material& material : {symmetric, mac_key}) {
      const auto checked = token_->check_material(material);
      ASSERT_TRUE(checked) << why(checked);
      const auto moved = token_->rewrap_material(material, custody_key());
      ASSERT_TRUE(moved) << why(moved);
    }
    close();
  }
  void expect_no_wrapping(std::vector<std::string> overrides, std::string_view word) {
    open(std::move(overrides));
    const auto checked = token_->check_kind({});
    ASSERT_FALSE(checked) << "it wraps";
    EXPECT_EQ(checked.error().code(), ErrorCode::kUnsupportedOperation);
    EXPECT_NE(why(checked).find(word), std::string::npos) << why(checked);
    close();
  }
};

TEST_F(WrappingImitationTest, AMechanismOfTheVendors) {
  imitate("C_WrapKey * imitate:mechanism=2147492207\nC_UnwrapKey * imitate:mechanism=2147492207\n");
  expect_no_wrapping({"keys.custody=wrapped"}, "CKR_MECHANISM_INVALID");
  // The module behind holds the key to the mechanism that it is called with.
  const std::vector<std::string> overrides = {"keys.custody=wrapped",
                                              "keys.wrap_mechanism=0x8000216f",
                                              "keys.template_drop=[\"CKA_ALLOWED_MECHANISMS\"]"};
  expect_wrapping(overrides);
}

TEST_F(WrappingImitationTest, AnInitialValueThatHasToBeHandedOver) {
  imitate("C_WrapKey * imitate:standard-iv\nC_UnwrapKey * imitate:standard-iv\n");
  expect_no_wrapping({"keys.custody=wrapped"}, "CKR_MECHANISM_PARAM_INVALID");
  expect_wrapping({"keys.custody=wrapped", "keys.wrap_iv=caller"});
}

TEST_F(WrappingImitationTest, NoKeysThatAreSensitiveAndExtractable) {
  imitate(
      "C_GenerateKey * imitate:no-sensitive-extractable\n"
      "C_UnwrapKey * imitate:no-sensitive-extractable\n");
  expect_no_wrapping({"keys.custody=wrapped"}, "CKR_TEMPLATE_INCONSISTENT");
  expect_wrapping({"keys.custody=wrapped", "keys.sensitive_with_extractable=false"});
}

TEST_F(WrappingImitationTest, ATokenThatUnwrapsReadableWhateverItIsAskedIsRefused) {
  imitate("C_UnwrapKey * imitate:readable\n");
  // The token's own template says no; without it nothing does.
  expect_no_wrapping({"keys.custody=wrapped"}, "CKR_TEMPLATE_INCONSISTENT");
  expect_refused({"keys.custody=wrapped", "keys.template_drop=[\"CKA_UNWRAP_TEMPLATE\"]"},
                 "unwrapped to be used");
  // Nor is anything used that was wrapped before.
  files_.no_faults();
  custody_ = Custody::kWrapped;
  open({"keys.template_drop=[\"CKA_UNWRAP_TEMPLATE\"]"});
  const Material material = generate();
  close();
  open({"keys.template_drop=[\"CKA_UNWRAP_TEMPLATE\"]"});
  files_.set_script("C_UnwrapKey * imitate:readable\n");
  const auto checked = token_->check_material(material);
  ASSERT_FALSE(checked);
  EXPECT_NE(why(checked).find("CKA_SENSITIVE is not true"), std::string::npos) << why(checked);
}

TEST_F(WrappingImitationTest, WithoutAnUnwrapTemplateAReadableUnwrapIsStated) {
  open({"keys.custody=wrapped", "keys.template_drop=[\"CKA_UNWRAP_TEMPLATE\"]"});
  const auto report = token_->admission();
  const auto act = std::ranges::find(report.forbidden, "unwrap a wrapped key material readable",
                                     &AdmissionAct::act);
  ASSERT_NE(act, report.forbidden.end());
  EXPECT_EQ(act->outcome, Outcome::kSucceeded);
}

}  // namespace
}  // namespace keyhold::token::test

#include "pkcs11/object.h"

#include <algorithm>

#include "pkcs11/crypto.h"
#include "test_token.h"

namespace keyhold::pkcs11 {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

class Objects : public ::testing::TestWithParam<TokenKind> {
 protected:
  void SetUp() override {
    token_ = TestToken::make(GetParam());
    if (!token_) GTEST_SKIP();
    session_.emplace(token_->session());
  }
  void TearDown() override { session_.reset(); }

  ObjectHandle make(const Attributes& attributes) {
    return must(generate_key(*session_, Mechanism::plain(CKM_AES_KEY_GEN), attributes));
  }
  Attributes id(std::string_view value) { return Attributes().bytes(CKA_ID, view(value)); }

  std::unique_ptr<TestToken> token_;
  std::optional<Session> session_;
};

TEST_P(Objects, AreFoundByWhatMatchesAndNotOtherwise) {
  const ObjectHandle a = make(aes_token_key_attributes("a"));
  const ObjectHandle b = make(aes_token_key_attributes("b"));
  EXPECT_THAT(must(find_objects(*session_, id("a"))), ElementsAre(a));
  EXPECT_THAT(must(find_objects(*session_, id("b"))), ElementsAre(b));
  EXPECT_THAT(must(find_objects(*session_, id("c"))), IsEmpty());
}

TEST_P(Objects, AreFoundInMoreThanOneBatchAndUpToALimit) {
  for (int i = 0; i < 300; ++i) make(aes_key_attributes().bytes(CKA_ID, view("many")));
  EXPECT_THAT(must(find_objects(*session_, id("many"))), SizeIs(300));
  EXPECT_THAT(must(find_objects(*session_, id("many"), 257)), SizeIs(257));
  EXPECT_THAT(must(find_objects(*session_, id("many"), 0)), IsEmpty());
  EXPECT_FALSE(session_->broken());
}

TEST_P(Objects, AttributesComeInTheOrderAskedAndSayWhyTheyAreNotShown) {
  const ObjectHandle key = make(aes_token_key_attributes("an id").text(CKA_LABEL, "a label"));
  const CK_ATTRIBUTE_TYPE types[] = {CKA_ID,    CKA_VALUE,       CKA_MODULUS,  CKA_LABEL,
                                     CKA_CLASS, CKA_EXTRACTABLE, CKA_SENSITIVE};
  const auto values = must(get_attributes(*session_, key, types));
  ASSERT_THAT(values, SizeIs(7));
  for (std::size_t i = 0; i < values.size(); ++i) EXPECT_EQ(values[i].type, types[i]);
  EXPECT_EQ(copy(values[0].value.view()), copy(view("an id")));
  EXPECT_EQ(values[1].shown, Shown::kSensitive);
  EXPECT_TRUE(values[1].value.empty());
  EXPECT_EQ(values[2].shown, Shown::kUnknown);
  EXPECT_EQ(copy(values[3].value.view()), copy(view("a label")));
  EXPECT_EQ(values[4].number(), CKO_SECRET_KEY);
  EXPECT_EQ(values[5].flag(), false);
  EXPECT_EQ(values[6].flag(), true);
  EXPECT_FALSE(session_->broken());

  EXPECT_EQ(must(get_attribute(*session_, key, CKA_VALUE)).shown, Shown::kSensitive);
  EXPECT_EQ(must(get_attribute(*session_, key, CKA_MODULUS)).shown, Shown::kUnknown);
  EXPECT_EQ(must(get_attribute(*session_, key, CKA_CLASS)).number(), CKO_SECRET_KEY);
  EXPECT_THAT(must(get_attributes(*session_, key, {})), IsEmpty());
}

TEST_P(Objects, ScalarsOfAnotherLengthAreNotRead) {
  const ObjectHandle key = make(aes_token_key_attributes("id"));
  const AttributeValue id_value = must(get_attribute(*session_, key, CKA_ID));
  EXPECT_EQ(id_value.flag(), std::nullopt);
  EXPECT_EQ(id_value.number(), std::nullopt);
}

TEST_P(Objects, ADestroyedObjectIsAStaleHandleAndKeepsTheSession) {
  const ObjectHandle key = make(aes_key_attributes());
  must(destroy_object(*session_, key));
  const auto again = destroy_object(*session_, key);
  ASSERT_FALSE(again);
  EXPECT_TRUE(again.error().handle_stale()) << again.error().text();
  const auto used = encrypt(*session_, must(Mechanism::gcm(Bytes(12), {})), key, view("x"));
  ASSERT_FALSE(used);
  EXPECT_TRUE(used.error().handle_stale()) << used.error().text();
  EXPECT_FALSE(session_->broken());
  EXPECT_TRUE(session_->login_suspect());
}

TEST_P(Objects, ASessionCopyOfATokenKeyIsTheSameKey) {
  const ObjectHandle key = make(aes_token_key_attributes("original"));
  const ObjectHandle copied = must(copy_object(*session_, key, Attributes().no(CKA_TOKEN)));
  EXPECT_NE(copied, key);
  const Mechanism gcm = must(Mechanism::gcm(Bytes(12, 1), {}));
  const Bytes ciphertext = must(encrypt(*session_, gcm, key, view("text")));
  EXPECT_EQ(copy(must(decrypt(*session_, gcm, copied, ciphertext)).view()), copy(view("text")));
  EXPECT_EQ(must(get_attribute(*session_, copied, CKA_TOKEN)).flag(), false);
}

TEST_P(Objects, AllowedMechanismsReachTheToken) {
  if (GetParam() == TokenKind::kNss) GTEST_SKIP() << "NSS does not enforce them";
  const ObjectHandle key =
      make(aes_key_attributes().mechanisms(CKA_ALLOWED_MECHANISMS, {CKM_AES_CMAC}));
  EXPECT_TRUE(sign(*session_, Mechanism::plain(CKM_AES_CMAC), key, view("x")));
  EXPECT_EQ(rv_of(encrypt(*session_, must(Mechanism::gcm(Bytes(12), {})), key, view("x"))),
            CKR_MECHANISM_INVALID);
  EXPECT_FALSE(session_->broken());
}

TEST_P(Objects, UnwrapTemplatesReachTheToken) {
  if (GetParam() == TokenKind::kNss) GTEST_SKIP() << "NSS does not enforce them";
  const ObjectHandle kek =
      make(aes_key_attributes().nested(CKA_UNWRAP_TEMPLATE, Attributes().no(CKA_EXTRACTABLE)));
  const ObjectHandle target = make(aes_key_attributes().yes(CKA_EXTRACTABLE));
  const Mechanism wrap = Mechanism::plain(CKM_AES_KEY_WRAP);
  const Bytes blob = must(wrap_key(*session_, wrap, kek, target));
  Attributes soft = aes_key_attributes().remove(CKA_VALUE_LEN).yes(CKA_EXTRACTABLE);
  EXPECT_EQ(rv_of(unwrap_key(*session_, wrap, kek, blob, soft)), CKR_TEMPLATE_INCONSISTENT);
  EXPECT_TRUE(unwrap_key(*session_, wrap, kek, blob, soft.no(CKA_EXTRACTABLE)));
}

INSTANTIATE_TEST_SUITE_P(Tokens, Objects, ::testing::Values(TokenKind::kSoftHsm, TokenKind::kNss),
                         [](const auto& param) { return name_of(param.param); });

class ObjectFaults : public ::testing::Test {
 protected:
  Faults faults_;
  std::unique_ptr<TestToken> token_ = TestToken::make(TokenKind::kSoftHsmBehindFaults);
};

TEST_F(ObjectFaults, AFailedSearchIsEndedSoThatTheSessionCanGoOn) {
  Session session = token_->session();
  faults_.script("C_FindObjects 1 CKR_ATTRIBUTE_VALUE_INVALID");
  EXPECT_EQ(rv_of(find_objects(session, {})), CKR_ATTRIBUTE_VALUE_INVALID);
  EXPECT_FALSE(session.broken());
  EXPECT_TRUE(find_objects(session, {}));
}

TEST_F(ObjectFaults, ASearchThatCannotBeEndedBreaksTheSession) {
  Session session = token_->session();
  faults_.script("C_FindObjectsFinal 1 CKR_DATA_INVALID");
  EXPECT_EQ(rv_of(find_objects(session, {})), CKR_DATA_INVALID);
  EXPECT_TRUE(session.broken());
}

TEST_F(ObjectFaults, AStaleHandleIsNotHandedToTheModule) {
  Session session = token_->session();
  const ObjectHandle key =
      must(generate_key(session, Mechanism::plain(CKM_AES_KEY_GEN), aes_key_attributes()));
  token_->module().raise_object_generation();
  faults_.clear_trace();
  const Mechanism plain = Mechanism::plain(CKM_AES_KEY_WRAP);
  const Mechanism cmac = Mechanism::plain(CKM_AES_CMAC);
  std::vector<CK_RV> answers = {
      rv_of(get_attribute(session, key, CKA_ID)),
      rv_of(get_attributes(session, key, {})),
      rv_of(copy_object(session, key, {})),
      rv_of(destroy_object(session, key)),
      rv_of(wrap_key(session, plain, key, key)),
      rv_of(unwrap_key(session, plain, key, Bytes(40), {})),
      rv_of(derive_key(session, plain, key, {})),
      rv_of(encrypt(session, plain, key, {})),
      rv_of(decrypt(session, plain, key, {})),
      rv_of(sign(session, cmac, key, {})),
      rv_of(verify(session, cmac, key, {}, {})),
  };
  EXPECT_THAT(answers, ::testing::Each(CKR_OBJECT_HANDLE_INVALID));
  EXPECT_EQ(faults_.trace(), "");
}

}  // namespace
}  // namespace keyhold::pkcs11

#include "pkcs11/session.h"

#include "pkcs11/crypto.h"
#include "test_token.h"

namespace keyhold::pkcs11 {
namespace {

class SessionFaults : public ::testing::Test {
 protected:
  Faults faults_;
  std::unique_ptr<TestToken> token_ = TestToken::make(TokenKind::kSoftHsmBehindFaults);
};

TEST_F(SessionFaults, ASessionIsClosedExactlyOnceHoweverItIsMoved) {
  faults_.clear_trace();
  {
    Session first = must(Session::open(token_->module(), token_->slot(), Access::kReadOnly));
    Session second = std::move(first);
    const Session third = std::move(second);
  }
  EXPECT_EQ(faults_.calls("C_OpenSession"), 1U);
  EXPECT_EQ(faults_.calls("C_CloseSession"), 1U);
}

TEST_F(SessionFaults, ASessionOfAnOlderGenerationIsDroppedWithoutACall) {
  {
    const Session session = token_->session();
    must(token_->module().reinitialize());
    faults_.clear_trace();
  }
  EXPECT_EQ(faults_.calls("C_CloseSession"), 0U);
}

TEST_F(SessionFaults, EveryReturnValueLeavesTheSessionAsTheTableSays) {
  for (const RvRow& row : rv_table()) {
    if (row.rv == CKR_OK) continue;
    Session session = token_->session();
    faults_.script("C_GetSessionInfo 1 " + std::string(row.name));
    EXPECT_EQ(rv_of(session.info()), row.rv) << row.name;
    const Error error(row.rv, "C_GetSessionInfo");
    EXPECT_EQ(session.broken(), error.poisons_session()) << row.name;
    EXPECT_EQ(session.login_suspect(), error.login_lost() || error.handle_stale()) << row.name;
    faults_.no_script();
  }
}

TEST_F(SessionFaults, ReadOnlySessionsCannotMakeTokenObjects) {
  Session session = must(Session::open(token_->module(), token_->slot(), Access::kReadOnly));
  must(session.login(CKU_USER, SecretBytes(kUserPin)));
  EXPECT_EQ(rv_of(generate_key(session, Mechanism::plain(CKM_AES_KEY_GEN),
                               aes_token_key_attributes("ro"))),
            CKR_SESSION_READ_ONLY);
  EXPECT_FALSE(session.broken());
}

// Each half of an operation fails in each way: whatever session is not broken must be usable.
TEST_F(SessionFaults, ASessionThatIsNotBrokenIsGoodForTheNextOperation) {
  Session maker = token_->session();
  const ObjectHandle key =
      must(generate_key(maker, Mechanism::plain(CKM_AES_KEY_GEN), aes_key_attributes()));
  const Mechanism gcm = must(Mechanism::gcm(Bytes(12, 3), {}));
  const Bytes ciphertext = must(encrypt(maker, gcm, key, view("plain")));
  for (const char* function : {"C_EncryptInit", "C_DecryptInit"}) {
    for (const RvRow& row : rv_table()) {
      if (row.rv == CKR_OK) continue;
      Session session = token_->session();
      faults_.script(std::string(function) + " 1 " + std::string(row.name));
      const bool encrypting = std::string_view(function) == "C_EncryptInit";
      EXPECT_EQ(encrypting ? rv_of(encrypt(session, gcm, key, view("plain")))
                           : rv_of(decrypt(session, gcm, key, ciphertext)),
                row.rv)
          << function << row.name;
      if (!session.broken()) {
        EXPECT_TRUE(encrypt(session, gcm, key, view("plain"))) << function << row.name;
      }
      faults_.no_script();
    }
  }
  // The second half does not happen at all: only answers about data are believed to have ended it.
  for (const RvRow& row : rv_table()) {
    const Error error(row.rv, "C_Encrypt");
    if (row.rv == CKR_OK) continue;
    Session session = token_->session();
    faults_.script("C_Encrypt 1 " + std::string(row.name));
    EXPECT_EQ(rv_of(encrypt(session, gcm, key, view("plain"))), row.rv);
    const bool about_data = row.name.find("_DATA_") != row.name.npos ||
                            row.name.find("CKR_SIGNATURE_") != row.name.npos;
    EXPECT_EQ(session.broken(), !about_data) << row.name;
    faults_.no_script();
  }
}

}  // namespace
}  // namespace keyhold::pkcs11

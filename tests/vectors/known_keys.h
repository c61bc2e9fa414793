// Keys of known value in a token, and what the tests of all algorithms do with them.
#pragma once

#include <optional>
#include <string>

#include "judgements.h"
#include "pkcs11/crypto.h"
#include "tests/pkcs11/test_token.h"
#include "token/openssl.h"
#include "vector_file.h"

namespace keyhold::vectors {

/// The tests of what a token computes, on each token that takes keys of known value.
class TokenVectors : public ::testing::TestWithParam<pkcs11::TokenKind> {
 protected:
  void SetUp() override;
  void TearDown() override { session_.reset(); }

  /// The name of the token's list of differences.
  std::string judge() const;
  pkcs11::Session& session();

  // Session objects; the caller destroys them.
  pkcs11::Result<pkcs11::ObjectHandle> secret_key(CK_KEY_TYPE type, ByteView value);
  pkcs11::Result<pkcs11::ObjectHandle> rsa_private_key(ByteView pkcs8);
  pkcs11::Result<pkcs11::ObjectHandle> ec_private_key(KeySpec spec, ByteView scalar);
  pkcs11::Result<pkcs11::ObjectHandle> edwards_private_key(ByteView seed);
  pkcs11::Result<pkcs11::ObjectHandle> public_key(KeySpec spec, ByteView spki);
  void destroy(pkcs11::ObjectHandle object);

 private:
  std::unique_ptr<pkcs11::TestToken> token_;
  std::optional<pkcs11::Session> session_;
};

/// A refusal by its return value.
Outcome refusal(const pkcs11::Error& error);

/// What came of an answer that a vector has too.
template <typename T>
Outcome compared(const pkcs11::Result<T>& answer, ByteView wanted) {
  if (!answer) return refusal(answer.error());
  return std::ranges::equal(pkcs11::ByteView(answer->data(), answer->size()), wanted)
             ? Outcome::accepted()
             : Outcome::other();
}

/// What came of a decryption: of an invalid ciphertext any plaintext is one too many.
template <typename T>
Outcome opened(const pkcs11::Result<T>& plaintext, const Case& each) {
  if (plaintext && each.result == Result::kInvalid) return Outcome::accepted();
  return compared(plaintext, each.bytes("msg"));
}

/// A private key of OpenSSL from PKCS#8; null if it is none.
token::openssl::Key private_key(ByteView pkcs8);

}  // namespace keyhold::vectors

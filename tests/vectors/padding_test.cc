// RSAES-OAEP: by tokens that know it, and by their bare RSA operation with the padding removed
// outside.
#include <openssl/rsa.h>

#include "known_keys.h"
#include "token/key_kind.h"
#include "token/oaep.h"

namespace keyhold::vectors {
namespace {

/// KMS's labels are empty: ciphertexts under another do not decrypt.
Result wanted(const Case& each) {
  return each.members.at("label").empty() ? each.result : Result::kInvalid;
}

Outcome unpadded(const AlgorithmRow& algorithm, ByteView block, const Case& each) {
  const auto message = token::remove_oaep_padding(algorithm, block);
  if (!message) return Outcome::refused();
  if (wanted(each) == Result::kInvalid) return Outcome::accepted();
  return std::ranges::equal(message->view(), each.bytes("msg")) ? Outcome::accepted()
                                                                : Outcome::other();
}

class Oaep : public TokenVectors {
 protected:
  template <typename Judge>
  void for_each_key(const std::string& judge_name, Judge judge) {
    for (const VectorFile& file : read_vectors("rsa_oaep")) {
      Judgements judgements(judge_name, file);
      file.for_each([&](const Group& group, const Case& each) {
        // One key a case: some refusals break the session, and the session's keys with it.
        const auto key = pkcs11::must(rsa_private_key(group.bytes("private_key")));
        judgements.add(each, wanted(each), judge(group, each, key));
        destroy(key);
      });
    }
  }
};

TEST_P(Oaep, OfTheTokenOpensWhatTheVectorsSay) {
  for_each_key(judge(), [&](const Group& group, const Case& each, pkcs11::ObjectHandle key) {
    const auto mechanism = pkcs11::must(token::mechanism_of(group.algorithm()));
    const auto plaintext = pkcs11::decrypt(session(), mechanism, key, each.bytes("ct"));
    if (plaintext && wanted(each) == Result::kInvalid) return Outcome::accepted();
    return compared(plaintext, each.bytes("msg"));
  });
}

TEST_P(Oaep, RemovedOutsideOpensWhatTheVectorsSay) {
  for_each_key("service", [&](const Group& group, const Case& each, pkcs11::ObjectHandle key) {
    // Decrypt refuses what is not as long as the modulus before it asks the token.
    const Bytes ciphertext = each.bytes("ct");
    const std::size_t size = static_cast<std::size_t>(row_of(group.spec()).bits) / 8;
    if (ciphertext.size() != size) return Outcome::refused();
    const auto block =
        pkcs11::decrypt(session(), pkcs11::Mechanism::plain(CKM_RSA_X_509), key, ciphertext);
    if (!block) return refusal(block.error());
    EXPECT_EQ(block->size(), size);
    return unpadded(group.algorithm(), block->view(), each);
  });
}

INSTANTIATE_TEST_SUITE_P(Tokens, Oaep,
                         ::testing::Values(pkcs11::TokenKind::kSoftHsm, pkcs11::TokenKind::kNss),
                         [](const auto& one) { return pkcs11::name_of(one.param); });

}  // namespace
}  // namespace keyhold::vectors

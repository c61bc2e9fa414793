// Signatures: verified by what Verify uses, verified and made by tokens.
#include <algorithm>
#include <map>

#include "known_keys.h"
#include "ml_dsa_keys.h"
#include "token/key_kind.h"
#include "token/native_key.h"
#include "token/public_key.h"

namespace keyhold::vectors {
namespace {

constexpr const char* kFolders[] = {"ecdsa", "ed25519", "rsa_pkcs1", "rsa_pss"};

/// What the algorithm that verifies has to say: others' parameters are no signatures of it.
Result wanted(const Group& group, const Case& each) {
  return group.foreign ? Result::kInvalid : each.result;
}

class Signatures : public ::testing::TestWithParam<const char*> {};

TEST_P(Signatures, AreVerifiedAsTheVectorsSay) {
  for (const VectorFile& file : read_vectors(GetParam())) {
    Judgements judgements("service", file);
    for (const Group& group : file.groups) {
      const token::PublicKey key(group.bytes("public_key"));
      for (const Case& each : group.cases) {
        const Bytes message = each.bytes("msg");
        const auto verdict =
            key.verify(group.algorithm(), {MessageType::kRaw, message}, each.bytes("sig"));
        judgements.add(each, wanted(group, each),
                       verdict == token::PublicKey::Verdict::kValid ? Outcome::accepted()
                                                                    : Outcome::refused());
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Service, Signatures, ::testing::ValuesIn(kFolders),
                         [](const auto& one) { return std::string(one.param); });

/// Their signatures are a token's to judge: ml_dsa_token_test.cc.
TEST(MlDsaKeys, AreEncodedAsTheVectorsSayAndAreNoneInAnotherLength) {
  const std::map<KeySpec, std::size_t> sizes = {// FIPS 204, table 2
                                                {KeySpec::kMlDsa44, 1312},
                                                {KeySpec::kMlDsa65, 1952},
                                                {KeySpec::kMlDsa87, 2592}};
  for (const VectorFile& file : read_vectors("mldsa")) {
    std::size_t refused = 0;
    for (const Group& group : file.groups) {
      const Bytes spki = group.bytes("public_key");
      const ByteView encoded = encoded_ml_dsa_key(spki);
      const auto key = token::PublicKey::of_ml_dsa(group.spec(), encoded);
      ASSERT_EQ(key != nullptr, encoded.size() == sizes.at(group.spec())) << file.name;
      if (key == nullptr) {
        ++refused;
      } else {
        EXPECT_TRUE(std::ranges::equal(key->spki(), spki)) << file.name;
      }
    }
    EXPECT_GT(refused, 0U) << file.name;
    EXPECT_LT(refused, file.groups.size()) << file.name;
  }
}

class TokenSignatures : public TokenVectors {
 protected:
  /// ECDSA is left out of these: what its vectors try is DER, which tokens do not have.
  Outcome verified(const AlgorithmRow& algorithm, pkcs11::ObjectHandle key, const Case& each) {
    const auto mechanism = pkcs11::must(token::mechanism_of(algorithm));
    const Bytes message = each.bytes("msg");
    const auto verdict = pkcs11::verify(
        session(), mechanism, key, token::to_be_signed(algorithm, {MessageType::kRaw, message}),
        each.bytes("sig"));
    if (!verdict) return refusal(verdict.error());
    return *verdict == pkcs11::Verdict::kValid ? Outcome::accepted() : Outcome::refused();
  }

  void verify_all(const std::string& folder) {
    for (const VectorFile& file : read_vectors(folder)) {
      Judgements judgements(judge(), file);
      for (const Group& group : file.groups) {
        const auto key = public_key(group.spec(), group.bytes("public_key"));
        for (const Case& each : group.cases) {
          judgements.add(each, wanted(group, each),
                         key ? verified(group.algorithm(), *key, each) : refusal(key.error()));
        }
        if (key) destroy(*key);
      }
    }
  }
};

TEST_P(TokenSignatures, OfRsaPkcs1AreVerified) { verify_all("rsa_pkcs1"); }
TEST_P(TokenSignatures, OfRsaPssAreVerified) { verify_all("rsa_pss"); }
TEST_P(TokenSignatures, OfEd25519AreVerified) { verify_all("ed25519"); }

TEST_P(TokenSignatures, OfEd25519AreMadeAsTheReferenceMakesThem) {
  int made = 0;
  for (const VectorFile& file : read_vectors("ed25519")) {
    file.for_each([&](const Group& group, const Case& each) {
      if (!each.members.contains("private")) return;
      const auto key = edwards_private_key(each.bytes("private"));
      if (!key && GetParam() == pkcs11::TokenKind::kNss) return;  // 3.87 has no Edwards keys
      const auto mechanism = pkcs11::must(token::mechanism_of(group.algorithm()));
      EXPECT_EQ(
          pkcs11::must(pkcs11::sign(session(), mechanism, pkcs11::must(key), each.bytes("msg"))),
          each.bytes("sig"))
          << each.id;
      destroy(*key);
      ++made;
    });
  }
  EXPECT_EQ(made > 0, GetParam() == pkcs11::TokenKind::kSoftHsm);
}

INSTANTIATE_TEST_SUITE_P(Tokens, TokenSignatures,
                         ::testing::Values(pkcs11::TokenKind::kSoftHsm, pkcs11::TokenKind::kNss),
                         [](const auto& one) { return pkcs11::name_of(one.param); });

}  // namespace
}  // namespace keyhold::vectors

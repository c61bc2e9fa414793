// ECDH: which peers are taken, and what a token agrees on with them.
#include "known_keys.h"
#include "token/key_template.h"
#include "token/public_key.h"

namespace keyhold::vectors {
namespace {

/// A scalar in the width of its field; the vectors have what DER has, leading zeros or none.
Bytes of_width(Bytes scalar, std::size_t width) {
  while (scalar.size() > width && scalar.front() == 0) scalar.erase(scalar.begin());
  if (scalar.size() < width) scalar.insert(scalar.begin(), width - scalar.size(), 0);
  return scalar;
}

std::size_t width_of(KeySpec spec) { return (static_cast<std::size_t>(row_of(spec).bits) + 7) / 8; }

class Agreement : public TokenVectors {
 protected:
  Outcome agreed(KeySpec spec, const Case& each) {
    const auto point = token::peer_point(spec, each.bytes("public"));
    if (!point) return Outcome::refused();
    const auto key = ec_private_key(spec, of_width(each.bytes("private"), width_of(spec)));
    if (!key) return refusal(key.error());
    const auto mechanism = pkcs11::must(pkcs11::Mechanism::ecdh(*point));
    const auto secret = pkcs11::derive_key(session(), mechanism, *key,
                                           token::shared_secret_template(width_of(spec)));
    destroy(*key);
    if (!secret) return refusal(secret.error());
    auto value = pkcs11::get_attribute(session(), *secret, CKA_VALUE);
    destroy(*secret);
    if (!value) return refusal(value.error());
    return compared<pkcs11::SecretBytes>(std::move(value->value), each.bytes("shared"));
  }
};

TEST_P(Agreement, IsOnWhatTheVectorsSayAndNotWithPointsOffTheCurve) {
  for (const VectorFile& file : read_vectors("ecdh")) {
    Judgements judgements(judge(), file);
    file.for_each([&](const Group& group, const Case& each) {
      judgements.add(each, agreed(group.spec(), each));
    });
  }
}

INSTANTIATE_TEST_SUITE_P(Tokens, Agreement, ::testing::Values(pkcs11::TokenKind::kSoftHsm),
                         [](const auto& one) { return pkcs11::name_of(one.param); });

TEST(Peers, AreRefusedWhereTheVectorsCallThemInvalid) {
  for (const VectorFile& file : read_vectors("ecdh")) {
    Judgements judgements("service", file);
    file.for_each([&](const Group& group, const Case& each) {
      judgements.add(each, token::peer_point(group.spec(), each.bytes("public"))
                               ? Outcome::accepted()
                               : Outcome::refused());
    });
  }
}

}  // namespace
}  // namespace keyhold::vectors

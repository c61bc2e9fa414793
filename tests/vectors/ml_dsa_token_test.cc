// ML-DSA, which nobody verifies outside of a token: in the one that tests/contract/on_token.py
// made, by what Verify uses.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "judgements.h"
#include "known_token.h"
#include "ml_dsa_keys.h"
#include "token/key_kind.h"
#include "token/native_key.h"

namespace keyhold::vectors {
namespace {

using token::contract::KnownToken;

class MlDsaSignatures : public ::testing::Test {
 protected:
  void SetUp() override {
    const KnownToken& known = KnownToken::of_process();
    auto opened = token::TokenLink::open(known.profile(), known.pin());
    ASSERT_TRUE(opened) << opened.error().message();
    link_ = std::move(*opened);
    const auto started = link_->restart();
    ASSERT_TRUE(started) << started.error().message();
  }

  pkcs11::Result<token::SessionObject> public_key(KeySpec spec, ByteView encoded) {
    pkcs11::Attributes attributes;
    attributes.number(CKA_CLASS, CKO_PUBLIC_KEY)
        .number(CKA_KEY_TYPE, pkcs11::kKeyTypeMlDsa)
        .number(pkcs11::kParameterSet, token::parameter_set(spec))
        .no(CKA_TOKEN)
        .yes(CKA_VERIFY)
        .bytes(CKA_VALUE, encoded);
    return link_->objects().create(attributes);
  }

  Outcome verified(const Group& group, pkcs11::ObjectHandle key, const Case& each) {
    const Bytes message = each.bytes("msg");
    const auto verdict = token::verify(*link_, key, group.algorithm(), {MessageType::kRaw, message},
                                       each.bytes("sig"));
    // To a service any other code is a token in trouble, and not a caller's bad signature.
    EXPECT_TRUE(verdict) << each.id << ": " << verdict.error().text();
    return verdict && *verdict == pkcs11::Verdict::kValid ? Outcome::accepted()
                                                          : Outcome::refused();
  }

  std::unique_ptr<token::TokenLink> link_;
};

TEST_F(MlDsaSignatures, AreVerifiedAsTheVectorsSayByKeysThatAreShownAsTheyAre) {
  for (const VectorFile& file : read_vectors("mldsa")) {
    Judgements judgements(KnownToken::of_process().name(), file);
    for (const Group& group : file.groups) {
      const Bytes spki = group.bytes("public_key");
      const auto key = public_key(group.spec(), encoded_ml_dsa_key(spki));
      if (key) {
        const auto shown = token::read_public_key(*link_, group.spec(), key->handle());
        ASSERT_TRUE(shown) << shown.error().text();
        EXPECT_TRUE(std::ranges::equal((*shown)->spki(), spki)) << file.name;
      }
      for (const Case& each : group.cases) {
        judgements.add(each,
                       key ? verified(group, key->handle(), each)
                           : Outcome::refused(std::string(pkcs11::rv_name(key.error().rv()))));
      }
    }
  }
}

}  // namespace
}  // namespace keyhold::vectors

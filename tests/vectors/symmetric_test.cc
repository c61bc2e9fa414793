// AES and HMAC in tokens, on keys of known value.
#include "known_keys.h"
#include "token/key_kind.h"

namespace keyhold::vectors {
namespace {

using pkcs11::Mechanism;

class Symmetric : public TokenVectors {
 protected:
  /// Unwrapped, read, and (of a valid vector) wrapped again.
  Outcome unwrapped(CK_MECHANISM_TYPE type, const Case& each, pkcs11::ObjectHandle key) {
    const Mechanism wrap = Mechanism::plain(type);
    pkcs11::Attributes attributes;
    attributes.number(CKA_CLASS, CKO_SECRET_KEY)
        .number(CKA_KEY_TYPE, CKK_GENERIC_SECRET)
        .no(CKA_TOKEN)
        .no(CKA_SENSITIVE)
        .yes(CKA_EXTRACTABLE);
    const auto made = pkcs11::unwrap_key(session(), wrap, key, each.bytes("ct"), attributes);
    if (!made) return refusal(made.error());
    auto value = pkcs11::get_attribute(session(), *made, CKA_VALUE);
    const auto again = pkcs11::wrap_key(session(), wrap, key, *made);
    destroy(*made);
    if (!value) return refusal(value.error());
    const Outcome outcome = opened<pkcs11::SecretBytes>(std::move(value->value), each);
    return each.result == Result::kValid && outcome.kind == Outcome::Kind::kAccepted
               ? compared(again, each.bytes("ct"))
               : outcome;
  }

  /// Calls `judge` with each case and a key of its value.
  template <typename Judge>
  void for_each_key(const std::string& folder, CK_KEY_TYPE type, Judge judge) {
    for (const VectorFile& file : read_vectors(folder)) {
      Judgements judgements(this->judge(), file);
      file.for_each([&](const Group& group, const Case& each) {
        const auto key = secret_key(type, each.bytes("key"));
        if (!key) {
          judgements.add(each, refusal(key.error()));
          return;
        }
        judgements.add(each, judge(group, each, *key));
        destroy(*key);
      });
    }
  }
};

TEST_P(Symmetric, AesGcmOpensWhatIsSealedAndSealsAlike) {
  for_each_key("aes_gcm", CKK_AES, [&](const Group&, const Case& each, pkcs11::ObjectHandle key) {
    const Mechanism gcm = pkcs11::must(Mechanism::gcm(each.bytes("iv"), each.bytes("aad")));
    Bytes sealed = each.bytes("ct");
    append(sealed, each.bytes("tag"));
    const auto plaintext = pkcs11::decrypt(session(), gcm, key, sealed);
    if (plaintext && each.result == Result::kValid) {
      const Mechanism again = pkcs11::must(Mechanism::gcm(each.bytes("iv"), each.bytes("aad")));
      EXPECT_EQ(pkcs11::must(pkcs11::encrypt(session(), again, key, each.bytes("msg"))), sealed);
    }
    return opened(plaintext, each);
  });
}

TEST_P(Symmetric, AesCmac) {
  for_each_key("aes_cmac", CKK_AES, [&](const Group&, const Case& each, pkcs11::ObjectHandle key) {
    const Mechanism cmac = Mechanism::plain(CKM_AES_CMAC);
    return compared(pkcs11::sign(session(), cmac, key, each.bytes("msg")), each.bytes("tag"));
  });
}

TEST_P(Symmetric, Hmac) {
  for_each_key("hmac", CKK_GENERIC_SECRET,
               [&](const Group& group, const Case& each, pkcs11::ObjectHandle key) {
                 const Mechanism hmac = pkcs11::must(token::mechanism_of(group.algorithm()));
                 return compared(pkcs11::sign(session(), hmac, key, each.bytes("msg")),
                                 each.bytes("tag"));
               });
}

TEST_P(Symmetric, AesKeyWrap) {
  for_each_key("aes_key_wrap", CKK_AES,
               [&](const Group& group, const Case& each, pkcs11::ObjectHandle key) {
                 const bool padded = group.text("algorithm") == "CKM_AES_KEY_WRAP_PAD";
                 return unwrapped(padded ? CKM_AES_KEY_WRAP_PAD : CKM_AES_KEY_WRAP, each, key);
               });
}

INSTANTIATE_TEST_SUITE_P(Tokens, Symmetric,
                         ::testing::Values(pkcs11::TokenKind::kSoftHsm, pkcs11::TokenKind::kNss),
                         [](const auto& one) { return pkcs11::name_of(one.param); });

}  // namespace
}  // namespace keyhold::vectors

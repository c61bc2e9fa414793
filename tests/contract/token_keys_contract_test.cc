// Key materials of every kind: made, shown, adopted, used and destroyed.
#include <openssl/x509.h>

#include <algorithm>

#include "token/openssl.h"
#include "token_contract.h"

namespace keyhold::token::contract {
namespace {

class TokenKeysContract : public TokenContract {
 protected:
  void expect_signatures(const Material& material) {
    const PublicKey key(spki(material));
    for (const Algorithm algorithm : algorithms_of(material.kind.spec, material.kind.usage)) {
      SCOPED_TRACE(to_string(algorithm));
      const auto signature = token().sign(material, algorithm, kRaw);
      if (!as_known(signature, known().lack(material.kind.spec, algorithm))) continue;
      const auto verified = token().verify(material, algorithm, kRaw, *signature);
      EXPECT_TRUE(verified) << why(verified);
      const Message other{MessageType::kRaw, as_bytes("another message")};
      const auto refused = token().verify(material, algorithm, other, *signature);
      ASSERT_FALSE(refused);
      EXPECT_EQ(refused.error().code(), ErrorCode::kKmsInvalidSignature) << why(refused);
      if (!PublicKey::can_verify(row_of(algorithm))) continue;
      EXPECT_EQ(key.verify(row_of(algorithm), kRaw, *signature), PublicKey::Verdict::kValid)
          << "OpenSSL says otherwise";
    }
  }

  void expect_decryption(const Material& material) {
    const PublicKey key(spki(material));
    for (const Algorithm algorithm : algorithms_of(material.kind.spec, material.kind.usage)) {
      SCOPED_TRACE(to_string(algorithm));
      const auto ciphertext = key.encrypt(row_of(algorithm), kMessage);
      ASSERT_TRUE(ciphertext);
      const auto plaintext = token().decrypt_padded(material, algorithm, *ciphertext);
      if (!as_known(plaintext, known().lack(material.kind.spec, algorithm))) continue;
      EXPECT_TRUE(std::ranges::equal(plaintext->view(), kMessage));
      Bytes changed = *ciphertext;
      changed.back() ^= 1;
      for (const Bytes& bad : {changed, Bytes(ciphertext->begin(), ciphertext->end() - 1)}) {
        const auto refused = token().decrypt_padded(material, algorithm, bad);
        ASSERT_FALSE(refused);
        EXPECT_EQ(refused.error().code(), ErrorCode::kInvalidCiphertext) << why(refused);
      }
      const auto own = token().encrypt_padded(material, algorithm, kMessage);
      ASSERT_TRUE(own) << why(own);
      const auto opened = token().decrypt_padded(material, algorithm, *own);
      ASSERT_TRUE(opened) << why(opened);
      EXPECT_TRUE(std::ranges::equal(opened->view(), kMessage));
    }
  }

  void expect_agreement(const Material& material) {
    for (int i = 0; i < 8; ++i) {
      const auto exchange = PublicKey(spki(material)).exchange();
      ASSERT_TRUE(exchange);
      const auto shared = token().agree(material, exchange->point);
      ASSERT_TRUE(shared) << why(shared);
      EXPECT_TRUE(std::ranges::equal(shared->view(), exchange->shared));
    }
  }

  void expect_macs(const Material& material) {
    const Algorithm algorithm = algorithms_of(material.kind.spec, material.kind.usage).front();
    const auto mac = token().sign(material, algorithm, kRaw);
    ASSERT_TRUE(mac) << why(mac);
    EXPECT_EQ(mac->size(), hash_size(row_of(algorithm).hash));
    const auto again = token().sign(material, algorithm, kRaw);
    ASSERT_TRUE(again) << why(again);
    EXPECT_EQ(*mac, *again);
    const auto other =
        token().sign(material, algorithm, {MessageType::kRaw, as_bytes("another message")});
    ASSERT_TRUE(other) << why(other);
    EXPECT_NE(*mac, *other);
  }

  /// Does what the kind is for.
  void expect_use(const Material& material) {
    if (material.kind.usage == KeyUsage::kSignVerify) return expect_signatures(material);
    if (material.kind.usage == KeyUsage::kGenerateVerifyMac) return expect_macs(material);
    if (material.kind.usage == KeyUsage::kKeyAgreement) return expect_agreement(material);
    if (is_pair(material.kind.spec)) return expect_decryption(material);
    EXPECT_TRUE(token().encryption_key(material));
  }

  static Bytes spki(const Material& material) {
    const ByteView bytes = material.public_key->spki();
    return Bytes(bytes.begin(), bytes.end());
  }

  bool lists(const ObjectName& name) {
    const auto listed = token().list_objects();
    EXPECT_TRUE(listed) << why(listed);
    return listed && std::ranges::any_of(*listed, [&](const ListedObject& object) {
             return std::ranges::equal(object.id, name.bytes());
           });
  }
};

TEST_F(TokenKeysContract, OfEachKindAreMadeAndDoWhatTheyAreFor) {
  for (const MaterialKind kind : kinds()) {
    SCOPED_TRACE(name_of(kind));
    const std::size_t before = count_objects();
    const auto material = generate(kind);
    if (!material) {
      EXPECT_EQ(count_objects(), before) << "a refusal left something behind";
      continue;
    }
    EXPECT_EQ(material->public_key != nullptr, is_pair(kind.spec));
    EXPECT_EQ(count_objects(), before + (is_pair(kind.spec) ? 2U : 1U));
    const auto checked = token().check_material(*material);
    EXPECT_TRUE(checked) << why(checked);
    expect_use(*material);
  }
}

TEST_F(TokenKeysContract, ShowThatTheyCannotLeave) {
  for (const MaterialKind kind : kinds()) {
    if (row_of(kind.spec).form == KeyForm::kRsa && kind.spec != KeySpec::kRsa2048) continue;
    SCOPED_TRACE(name_of(kind));
    const auto material = generate(kind);
    if (!material) continue;
    const auto shown = token().evidence(material->object_name);
    ASSERT_TRUE(shown) << why(shown);
    EXPECT_EQ(shown->sensitive, true);
    EXPECT_EQ(shown->extractable, false);
    // Not every token shows these, and none may deny them.
    EXPECT_EQ(shown->always_sensitive.value_or(true), true);
    EXPECT_EQ(shown->never_extractable.value_or(true), true);
    EXPECT_EQ(shown->label, "a key");
  }
}

TEST_F(TokenKeysContract, AreAdoptedAndUsedAfterARestartAndDestroyedForGood) {
  std::vector<Material> made;
  for (const MaterialKind kind : kinds()) {
    if (row_of(kind.spec).form == KeyForm::kRsa && kind.spec != KeySpec::kRsa2048) continue;
    SCOPED_TRACE(name_of(kind));
    if (auto material = generate(kind)) made.push_back(std::move(*material));
  }
  close();
  open();
  for (const Material& material : made) {
    SCOPED_TRACE(name_of(material.kind));
    const auto adopted = token().adopt_material(material.object_name, material.kind);
    ASSERT_TRUE(adopted) << why(adopted);
    ASSERT_TRUE(adopted->has_value());
    EXPECT_EQ((*adopted)->custody, material.custody);
    if (material.construction != Construction::kDirect) {
      EXPECT_EQ((*adopted)->check_value, material.check_value);
    }
    expect_use(material);

    ASSERT_TRUE(lists(material.object_name));
    const auto destroyed = token().destroy_material(material.object_name);
    EXPECT_TRUE(destroyed) << why(destroyed);
    EXPECT_FALSE(lists(material.object_name));
    const auto checked = token().check_material(material);
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().code(), ErrorCode::kKmsInternal) << why(checked);
    const auto again = token().destroy_material(material.object_name);
    EXPECT_TRUE(again) << why(again);
  }
}

TEST_F(TokenKeysContract, OfDataPairsLeaveWholeAndNothingStays) {
  const std::size_t before = count_objects();
  const bool in_token = known().profile().data_key_pairs == DataKeyPairs::kMadeInToken;
  for (const KeySpecRow& row : key_spec_rows()) {
    if (row.data_key_pairs != KeySpecRow::DataKeyPairs::kMade) continue;
    if (row.spec == KeySpec::kRsa3072 || row.spec == KeySpec::kRsa4096) continue;
    SCOPED_TRACE(to_string(row.spec));
    const bool needs_token = in_token || row.form == KeyForm::kSm2;
    const std::string lack =
        needs_token ? known().lack({row.spec, *row.usages.begin()}) : std::string();
    if (!as_known(token().check_data_key_pair(row.spec), lack)) continue;
    const auto pair = token().generate_data_key_pair(row.spec);
    ASSERT_TRUE(pair) << why(pair);
    const unsigned char* at = pair->private_key.data();
    const openssl::Key key(
        d2i_AutoPrivateKey(nullptr, &at, static_cast<long>(pair->private_key.size())));
    ASSERT_TRUE(key);
    unsigned char* encoded = nullptr;
    const int size = i2d_PUBKEY(key.get(), &encoded);
    EXPECT_TRUE(
        std::ranges::equal(ByteView(encoded, static_cast<std::size_t>(size)), pair->public_key));
    OPENSSL_free(encoded);
  }
  EXPECT_EQ(count_objects(), before);
}

}  // namespace
}  // namespace keyhold::token::contract

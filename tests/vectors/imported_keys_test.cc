// Keys that came to a token from outside: OpenSSL and the token do the same with them, and what
// vectors say of keys that they tell holds of the same keys imported.
#include <openssl/hmac.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <map>

#include "base/wrapping_algorithm.h"
#include "openssl_keys.h"
#include "tests/support/brought_material.h"
#include "tests/support/wrapped_material.h"
#include "token/key_template.h"
#include "token/public_key.h"
#include "token_fixture.h"
#include "vector_file.h"

namespace keyhold::vectors {
namespace {

namespace openssl = token::openssl;
using keyhold::test::bring_new;
using keyhold::test::Brought;
using token::Material;
using token::MaterialKind;
using token::test::why;

const Bytes kText = {'m', 'e', 's', 's', 'a', 'g', 'e'};
const Message kMessage{MessageType::kRaw, kText};

class ImportedKeys : public token::test::TokenTest {
 protected:
  struct Parameters {
    token::WrappingKey key;
    Bytes public_key;
  };

  /// One wrapping key for each algorithm: long enough for all that may come under it.
  const Parameters& parameters(WrappingAlgorithm algorithm) {
    const auto known = parameters_.find(algorithm);
    if (known != parameters_.end()) return known->second;
    const KeySpec spec =
        row_of(algorithm).envelope == Envelope::kMaterial ? KeySpec::kRsa4096 : KeySpec::kRsa3072;
    const token::WrappingKey key{draw_name(), spec, algorithm};
    auto made = token_->generate_wrapping_key(key);
    if (!made) throw std::runtime_error(why(made));
    return parameters_.emplace(algorithm, Parameters{key, std::move(*made)}).first->second;
  }

  Material import(const Brought& brought, WrappingAlgorithm algorithm) {
    const Parameters& with = parameters(algorithm);
    const auto unwrapped = token_->unwrap_material(
        with.key, brought.kind,
        keyhold::test::wrap_material(with.public_key, algorithm, brought.bytes.view()));
    if (!unwrapped) throw std::runtime_error(why(unwrapped));
    const token::GeneratedMaterial& made = (*unwrapped)->made();
    Material material{draw_name(), made.construction, made.check_value,
                      {1, 2, 3},   brought.kind,      made.custody};
    if (!made.public_key.empty()) {
      material.public_key = std::make_shared<const token::PublicKey>(made.public_key);
    }
    const auto kept = token_->keep_material(**unwrapped, material.object_name, "imported");
    if (!kept) throw std::runtime_error(why(kept));
    return material;
  }
  Material import(MaterialKind kind, ByteView value) {
    return import({kind, Secret(value), {}}, WrappingAlgorithm::kRsaAesKeyWrapSha1);
  }
  void forget(const Material& material) {
    const auto destroyed = token_->destroy_material(material.object_name);
    EXPECT_TRUE(destroyed) << why(destroyed);
  }

  // Both ways, as far as there are two.
  void expect_signatures(const Material& material, EVP_PKEY* key, const AlgorithmRow& algorithm) {
    const auto signature = token_->sign(material, algorithm.algorithm, kMessage);
    ASSERT_TRUE(signature) << why(signature);
    EXPECT_TRUE(openssl_verifies(key, algorithm, kText, *signature));
    const Bytes made = openssl_signs(key, algorithm, kText);
    const auto verified = token_->verify(material, algorithm.algorithm, kMessage, made);
    EXPECT_TRUE(verified) << why(verified);
  }

  void expect_decryption(const Material& material, EVP_PKEY* key, const AlgorithmRow& algorithm) {
    const auto plaintext = token_->decrypt_padded(material, algorithm.algorithm,
                                                  openssl_encrypts(key, algorithm, kText));
    ASSERT_TRUE(plaintext) << why(plaintext);
    EXPECT_TRUE(std::ranges::equal(plaintext->view(), kText));
    const auto ciphertext = token_->encrypt_padded(material, algorithm.algorithm, kText);
    ASSERT_TRUE(ciphertext) << why(ciphertext);
    EXPECT_EQ(openssl_decrypts(key, algorithm, *ciphertext), kText);
  }

  void expect_agreement(const Material& material, EVP_PKEY* key) {
    const openssl::Key peer(EVP_EC_gen(token::PublicKey::curve_name(material.kind.spec)));
    const auto shared = token_->agree(material, point_of(peer.get()));
    ASSERT_TRUE(shared) << why(shared);
    EXPECT_TRUE(std::ranges::equal(shared->view(), openssl_agrees(peer.get(), key)));
  }

  void expect_mac(const Material& material, const Brought& brought) {
    const AlgorithmRow& algorithm =
        row_of(algorithms_of(brought.kind.spec, brought.kind.usage).front());
    const auto mac = token_->sign(material, algorithm.algorithm, kMessage);
    ASSERT_TRUE(mac) << why(mac);
    EXPECT_EQ(*mac, openssl_mac(brought.bytes.view(), algorithm, kText));
  }

  /// By docs/ciphertext-format.md: what the token seals OpenSSL seals alike, and the token opens
  /// what OpenSSL sealed under a salt of its own.
  void expect_messages(const Material& material, const Brought& brought) {
    using token::Purpose;
    const ByteView value = brought.bytes.view();
    const auto message_key = [&](const token::EcbSalt& salt) {
      return token::test::aes_ecb(value, token::derivation_data(Purpose::kMessage, salt));
    };
    const auto key = token_->encryption_key(material);
    ASSERT_TRUE(key) << why(key);
    token::EcbSalt salt{};
    std::ranges::copy((*key)->salt(), salt.begin());
    Bytes iv(token::kGcmIvSize);
    random_.fill(iv);
    const auto ciphertext = token_->encrypt(**key, iv, as_bytes("aad"), kText);
    ASSERT_TRUE(ciphertext) << why(ciphertext);
    EXPECT_EQ(*ciphertext, token::test::aes_gcm(message_key(salt), iv, as_bytes("aad"), kText));

    random_.fill(salt);
    const Bytes header_key =
        token::test::aes_ecb(value, token::derivation_data(Purpose::kHeader, token::kZeroSalt));
    const auto opener = token_->decryption_key(
        material, salt,
        token::test::aes_cmac(header_key, token::header_message(material.subject, salt)));
    ASSERT_TRUE(opener) << why(opener);
    const auto plaintext =
        token_->decrypt(**opener, iv, as_bytes("aad"),
                        token::test::aes_gcm(message_key(salt), iv, as_bytes("aad"), kText));
    ASSERT_TRUE(plaintext) << why(plaintext);
    EXPECT_TRUE(std::ranges::equal(plaintext->view(), kText));
  }

  void expect_same_key(const Material& material, const Brought& brought) {
    if (brought.kind.usage == KeyUsage::kGenerateVerifyMac) return expect_mac(material, brought);
    if (!is_pair(brought.kind.spec)) return expect_messages(material, brought);
    EXPECT_TRUE(std::ranges::equal(material.public_key->spki(), brought.public_key));
    const openssl::Key key = private_key_of(brought.bytes.view());
    ASSERT_TRUE(key);
    for (const Algorithm algorithm : algorithms_of(brought.kind.spec, brought.kind.usage)) {
      SCOPED_TRACE(to_string(algorithm));
      if (brought.kind.usage == KeyUsage::kKeyAgreement) {
        expect_agreement(material, key.get());
      } else if (brought.kind.usage == KeyUsage::kSignVerify) {
        expect_signatures(material, key.get(), row_of(algorithm));
      } else {
        expect_decryption(material, key.get(), row_of(algorithm));
      }
    }
  }

  std::map<WrappingAlgorithm, Parameters> parameters_;
};

TEST_F(ImportedKeys, OfOpensslsWorkInTheTokenAsInOpensslUnderEachAlgorithm) {
  open();
  int imported = 0;
  for (const KeySpecRow& row : key_spec_rows()) {
    const MaterialKind first{row.spec, *row.usages.begin()};
    if (!token_->check_import(first, WrappingAlgorithm::kRsaAesKeyWrapSha1)) continue;
    Brought brought = bring_new(first);
    for (const KeyUsage usage : row.usages) {
      brought.kind.usage = usage;
      for (const WrappingAlgorithmRow& way : wrapping_algorithm_rows()) {
        if (wrapping_refusal(row.spec, way.algorithm, KeySpec::kRsa4096)) continue;
        SCOPED_TRACE(std::string(to_string(row.spec)) + " " + std::string(to_string(usage)) + " " +
                     std::string(to_string(way.algorithm)));
        const Material material = import(brought, way.algorithm);
        expect_same_key(material, brought);
        forget(material);
        ++imported;
      }
    }
  }
  // 1 symmetric, 4 HMAC, 7 of curves, under four algorithms each; 6 of RSA under two.
  EXPECT_EQ(imported, 12 * 4 + 6 * 2);
}

TEST_F(ImportedKeys, DecryptWhatTheVectorsSay) {
  open();
  int judged = 0;
  for (const VectorFile& file : read_vectors("rsa_oaep")) {
    for (const Group& group : file.groups) {
      const Algorithm algorithm = group.algorithm().algorithm;
      const Material material =
          import({group.spec(), KeyUsage::kEncryptDecrypt}, group.bytes("private_key"));
      for (const Case& each : group.cases) {
        SCOPED_TRACE(file.name + " " + std::to_string(each.id));
        ++judged;
        const auto plaintext = token_->decrypt_padded(material, algorithm, each.bytes("ct"));
        // KMS's labels are empty: ciphertexts under another do not decrypt.
        if (each.result == Result::kValid && each.members.at("label").empty()) {
          ASSERT_TRUE(plaintext) << why(plaintext);
          EXPECT_TRUE(std::ranges::equal(plaintext->view(), each.bytes("msg")));
          continue;
        }
        ASSERT_FALSE(plaintext);
        EXPECT_EQ(plaintext.error().code(), ErrorCode::kInvalidCiphertext) << why(plaintext);
      }
      forget(material);
    }
  }
  EXPECT_GT(judged, 90);
}

TEST_F(ImportedKeys, AgreeOnWhatTheVectorsSay) {
  open();
  int judged = 0;
  for (const VectorFile& file : read_vectors("ecdh")) {
    file.for_each([&](const Group& group, const Case& each) {
      SCOPED_TRACE(file.name + " " + std::to_string(each.id));
      // Peers that DeriveSharedSecret refuses never get as far as the token.
      const auto point = token::peer_point(group.spec(), each.bytes("public"));
      if (!point) return;
      const openssl::Key key = curve_key_of(group.spec(), each.bytes("private"));
      ASSERT_TRUE(key);
      EVP_PKEY_up_ref(key.get());
      const Material material =
          import(keyhold::test::brought_pair({group.spec(), KeyUsage::kKeyAgreement}, key.get()),
                 WrappingAlgorithm::kRsaAesKeyWrapSha1);
      const auto shared = token_->agree(material, *point);
      forget(material);
      ASSERT_TRUE(shared) << why(shared);
      EXPECT_EQ(std::ranges::equal(shared->view(), each.bytes("shared")),
                each.result != Result::kInvalid);
      ++judged;
    });
  }
  EXPECT_GT(judged, 100);
}

TEST_F(ImportedKeys, AuthenticateAsTheVectorsSay) {
  open();
  int judged = 0;
  for (const VectorFile& file : read_vectors("hmac")) {
    file.for_each([&](const Group& group, const Case& each) {
      SCOPED_TRACE(file.name + " " + std::to_string(each.id));
      const AlgorithmRow& algorithm = group.algorithm();
      const auto spec = std::ranges::find_if(key_spec_rows(), [&](const KeySpecRow& row) {
        return *row.algorithms.begin() == algorithm.algorithm;
      });
      const Bytes value = each.bytes("key");
      const ImportLength length = import_length(spec->spec);
      if (value.size() < length.least || value.size() > length.most) return;
      const Material material = import({spec->spec, KeyUsage::kGenerateVerifyMac}, value);
      const auto mac =
          token_->sign(material, algorithm.algorithm, {MessageType::kRaw, each.bytes("msg")});
      forget(material);
      ASSERT_TRUE(mac) << why(mac);
      EXPECT_EQ(*mac == each.bytes("tag"), each.result == Result::kValid);
      ++judged;
    });
  }
  EXPECT_GT(judged, 100);
}

// Where the material itself encrypts, its messages are the vectors'.
TEST_F(ImportedKeys, EncryptAsTheVectorsSay) {
  open({"keys.derivation=none"});
  int judged = 0;
  for (const VectorFile& file : read_vectors("aes_gcm")) {
    file.for_each([&](const Group&, const Case& each) {
      SCOPED_TRACE(file.name + " " + std::to_string(each.id));
      const Material material =
          import({KeySpec::kSymmetricDefault, KeyUsage::kEncryptDecrypt}, each.bytes("key"));
      const auto key = token_->decryption_key(material, {}, {});
      ASSERT_TRUE(key) << why(key);
      Bytes iv = each.bytes("iv");
      Bytes sealed = each.bytes("ct");
      append(sealed, each.bytes("tag"));
      const auto plaintext = token_->decrypt(**key, iv, each.bytes("aad"), sealed);
      ++judged;
      if (each.result == Result::kValid) {
        ASSERT_TRUE(plaintext) << why(plaintext);
        EXPECT_TRUE(std::ranges::equal(plaintext->view(), each.bytes("msg")));
        const auto again = token_->encrypt(**key, iv, each.bytes("aad"), each.bytes("msg"));
        ASSERT_TRUE(again) << why(again);
        EXPECT_EQ(*again, sealed);
      } else {
        ASSERT_FALSE(plaintext);
        EXPECT_EQ(plaintext.error().code(), ErrorCode::kInvalidCiphertext) << why(plaintext);
      }
      forget(material);
    });
  }
  EXPECT_GT(judged, 150);
}

}  // namespace
}  // namespace keyhold::vectors

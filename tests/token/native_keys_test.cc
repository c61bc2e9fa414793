// Keys that work by themselves: made, proven, used and destroyed, on SoftHSM. What the token
// computes is held against OpenSSL, both ways.
#include <openssl/evp.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

#include <algorithm>
#include <fstream>

#include "base/key_spec.h"
#include "token/key_template.h"
#include "token/oaep.h"
#include "token/openssl.h"
#include "token/public_key.h"
#include "token_fixture.h"

namespace keyhold::token::test {
namespace {

struct Case {
  KeySpec spec;
  KeyUsage usage;
};

std::string name_of(const Case& one) {
  return std::string(to_string(one.spec)) + "_" + std::string(to_string(one.usage));
}

/// Every kind that SoftHSM makes.
std::vector<Case> cases() {
  std::vector<Case> all;
  for (const KeySpecRow& row : key_spec_rows()) {
    if (row.form == KeyForm::kAes || row.form == KeyForm::kMlDsa || row.form == KeyForm::kSm2) {
      continue;
    }
    // 3072 and 4096 bits differ by their size alone, and take seconds.
    if (row.spec == KeySpec::kRsa3072 || row.spec == KeySpec::kRsa4096) continue;
    for (const KeyUsage usage : row.usages) all.push_back({row.spec, usage});
  }
  return all;
}

class NativeKeysTest : public TokenTest {
 protected:
  void SetUp() override {
    TokenTest::SetUp();
    open();
  }

  Material generate_native(MaterialKind kind) {
    Material material;
    material.object_name = draw_name();
    auto made = token_->generate_material(material.object_name, "a key", kind);
    if (!made) throw std::runtime_error(why(made));
    return with(material.object_name, kind, *made);
  }

  static Material with(const ObjectName& name, MaterialKind kind, const GeneratedMaterial& made) {
    Material material;
    material.object_name = name;
    material.construction = made.construction;
    material.check_value = made.check_value;
    material.kind = kind;
    material.custody = made.custody;
    if (!made.public_key.empty()) {
      material.public_key = std::make_shared<const PublicKey>(made.public_key);
    }
    return material;
  }

  std::size_t objects_of(const ObjectName& name) {
    const auto listed = token_->list_objects();
    return static_cast<std::size_t>(std::ranges::count_if(
        *listed, [&](const auto& object) { return std::ranges::equal(object.id, name.bytes()); }));
  }
};

const Bytes kMessage = {'m', 'e', 's', 's', 'a', 'g', 'e'};
const Message kRaw{MessageType::kRaw, kMessage};

class EveryKind : public NativeKeysTest, public ::testing::WithParamInterface<Case> {
 protected:
  MaterialKind kind() const { return {GetParam().spec, GetParam().usage}; }
};

TEST_P(EveryKind, IsBornInTheTokenAndCannotLeave) {
  const Material material = generate_native(kind());
  EXPECT_EQ(material.construction, Construction::kNative);
  const auto shown = token_->evidence(material.object_name);
  ASSERT_TRUE(shown) << why(shown);
  EXPECT_EQ(shown->local, true);
  EXPECT_EQ(shown->sensitive, true);
  EXPECT_EQ(shown->always_sensitive, true);
  EXPECT_EQ(shown->extractable, false);
  EXPECT_EQ(shown->never_extractable, true);
  EXPECT_EQ(shown->label, "a key");
  EXPECT_EQ(objects_of(material.object_name), is_pair(kind().spec) ? 2U : 1U);
  EXPECT_EQ(material.public_key != nullptr, is_pair(kind().spec));
}

TEST_P(EveryKind, MayDoWhatItsUsageSaysAndNothingElse) {
  const Material material = generate_native(kind());
  Intruder intruder;
  pkcs11::Attributes matching;
  matching.bytes(CKA_ID, material.object_name.bytes());
  const CK_ATTRIBUTE_TYPE wanted = kind().usage == KeyUsage::kEncryptDecrypt ? CKA_DECRYPT
                                   : kind().usage == KeyUsage::kKeyAgreement ? CKA_DERIVE
                                                                             : CKA_SIGN;
  for (const auto object : intruder.find(matching)) {
    const auto shown = [&](CK_ATTRIBUTE_TYPE type) {
      return pkcs11::get_attribute(intruder.session(), object, type);
    };
    if (shown(CKA_CLASS)->number() == CKO_PUBLIC_KEY) {
      for (const auto& [counterpart, of] :
           {std::pair{CKA_VERIFY, CKA_SIGN}, std::pair{CKA_ENCRYPT, CKA_DECRYPT}}) {
        EXPECT_EQ(shown(counterpart)->flag().value_or(false), of == wanted) << std::hex << of;
      }
      for (const CK_ATTRIBUTE_TYPE type : {CKA_WRAP, CKA_DERIVE, CKA_MODIFIABLE}) {
        EXPECT_EQ(shown(type)->flag().value_or(false), false) << std::hex << type;
      }
      continue;
    }
    for (const CK_ATTRIBUTE_TYPE type :
         {CKA_ENCRYPT, CKA_DECRYPT, CKA_SIGN, CKA_SIGN_RECOVER, CKA_VERIFY, CKA_WRAP, CKA_UNWRAP,
          CKA_DERIVE, CKA_EXTRACTABLE, CKA_MODIFIABLE, CKA_COPYABLE}) {
      const auto flag = shown(type)->flag();
      EXPECT_EQ(flag.value_or(false), type == wanted) << std::hex << type;
    }
  }
}

TEST_P(EveryKind, IsAdoptedWithTheSameCheckValueAfterAnInterruption) {
  const Material material = generate_native(kind());
  close();
  open();
  const auto adopted = token_->adopt_material(material.object_name, kind());
  ASSERT_TRUE(adopted) << why(adopted);
  ASSERT_TRUE(adopted->has_value());
  EXPECT_EQ((*adopted)->check_value, material.check_value);
  EXPECT_EQ((*adopted)->custody, material.custody);
  if (material.public_key) {
    EXPECT_TRUE(std::ranges::equal((*adopted)->public_key, material.public_key->spki()));
  }
  EXPECT_TRUE(token_->check_material(material));
}

TEST_P(EveryKind, IsNotAdoptedWhenAHalfIsMissing) {
  const Material material = generate_native(kind());
  pkcs11::Attributes matching;
  matching.bytes(CKA_ID, material.object_name.bytes());
  {
    Intruder intruder;
    const auto objects = intruder.find(matching);
    ASSERT_TRUE(pkcs11::destroy_object(intruder.session(), objects.front()));
  }
  const auto adopted = token_->adopt_material(material.object_name, kind());
  ASSERT_TRUE(adopted) << why(adopted);
  EXPECT_FALSE(adopted->has_value());
}

TEST_P(EveryKind, IsNotTakenForAnotherOfItsName) {
  const Material material = generate_native(kind());
  Material other = generate_native(kind());
  other.object_name = material.object_name;
  const auto checked = token_->check_material(other);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code(), ErrorCode::kKmsInternal);
  EXPECT_TRUE(token_->check_material(material));
}

TEST_P(EveryKind, IsGoneWithAllItsObjectsWhenDestroyed) {
  const Material material = generate_native(kind());
  ASSERT_TRUE(token_->destroy_material(material.object_name));
  EXPECT_EQ(objects_of(material.object_name), 0U);
  EXPECT_EQ(token_->check_material(material).error().code(), ErrorCode::kKmsInternal);
}

INSTANTIATE_TEST_SUITE_P(SoftHsm, EveryKind, ::testing::ValuesIn(cases()),
                         [](const auto& one) { return name_of(one.param); });

// ------------------------------------------------------------------------------------- signatures

class SigningKind : public NativeKeysTest, public ::testing::WithParamInterface<KeySpec> {};

TEST_P(SigningKind, SignsWhatOpenSslVerifiesAndNothingElse) {
  const MaterialKind kind{GetParam(), KeyUsage::kSignVerify};
  const Material material = generate_native(kind);
  int tried = 0;
  for (const Algorithm algorithm : algorithms_of(kind.spec, kind.usage)) {
    if (!token_->check_algorithm(kind, material.custody, algorithm)) continue;
    ++tried;
    SCOPED_TRACE(to_string(algorithm));
    const AlgorithmRow& row = row_of(algorithm);
    auto signature = token_->sign(material, algorithm, kRaw);
    ASSERT_TRUE(signature) << why(signature);
    EXPECT_TRUE(token_->verify(material, algorithm, kRaw, *signature));
    if (row.message_types.contains(MessageType::kDigest)) {
      // A digest stands for what it is of, whoever computed it.
      const Bytes digest = digest_of(row, kRaw);
      const Message digested{MessageType::kDigest, digest};
      EXPECT_TRUE(token_->verify(material, algorithm, digested, *signature));
      const auto other = token_->sign(material, algorithm, digested);
      ASSERT_TRUE(other) << why(other);
      EXPECT_TRUE(token_->verify(material, algorithm, kRaw, *other));
    }
    const auto refused = [&](const Message& message, ByteView bytes) {
      const auto verified = token_->verify(material, algorithm, message, bytes);
      return !verified && verified.error().code() == ErrorCode::kKmsInvalidSignature &&
             verified.error().message().empty();
    };
    EXPECT_TRUE(refused({MessageType::kRaw, as_bytes("another")}, *signature));
    EXPECT_TRUE(refused(kRaw, Bytes(1, 0)));
    EXPECT_TRUE(refused(kRaw, Bytes(6144, 0x30)));
    EXPECT_TRUE(refused(kRaw, ByteView(*signature).first(signature->size() - 1)));
    Bytes longer = *signature;
    longer.push_back(0);
    EXPECT_TRUE(refused(kRaw, longer));
    Bytes changed = *signature;
    changed.back() ^= 1;
    EXPECT_TRUE(refused(kRaw, changed));
    const Material stranger = generate_native(kind);
    EXPECT_FALSE(token_->verify(stranger, algorithm, kRaw, *signature));
  }
  EXPECT_GT(tried, 0);
}

INSTANTIATE_TEST_SUITE_P(SoftHsm, SigningKind,
                         ::testing::Values(KeySpec::kRsa2048, KeySpec::kEccNistP256,
                                           KeySpec::kEccNistP384, KeySpec::kEccNistP521,
                                           KeySpec::kEccSecgP256K1, KeySpec::kEccNistEdwards25519),
                         [](const auto& one) { return std::string(to_string(one.param)); });

TEST_F(NativeKeysTest, APssSaltIsAsLongAsTheHash) {
  const Material material = generate_native({KeySpec::kRsa2048, KeyUsage::kSignVerify});
  const auto signature = token_->sign(material, Algorithm::kRsassaPssSha256, kRaw);
  ASSERT_TRUE(signature);
  const ByteView spki = material.public_key->spki();
  const unsigned char* at = spki.data();
  const openssl::Key key(d2i_PUBKEY(nullptr, &at, static_cast<long>(spki.size())));
  const auto verifies = [&](int salt) {
    const openssl::KeyContext context(EVP_PKEY_CTX_new(key.get(), nullptr));
    const Bytes digest = sha256(kMessage);
    EVP_PKEY_verify_init(context.get());
    EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_PKCS1_PSS_PADDING);
    EVP_PKEY_CTX_set_signature_md(context.get(), EVP_sha256());
    EVP_PKEY_CTX_set_rsa_pss_saltlen(context.get(), salt);
    return EVP_PKEY_verify(context.get(), signature->data(), signature->size(), digest.data(),
                           digest.size()) == 1;
  };
  EXPECT_TRUE(verifies(32));
  EXPECT_FALSE(verifies(20));
}

TEST_F(NativeKeysTest, RsaKeysHaveTheSizeOfTheirSpecAndTheUsualExponent) {
  const Material material = generate_native({KeySpec::kRsa3072, KeyUsage::kSignVerify});
  const ByteView spki = material.public_key->spki();
  EXPECT_EQ(spki.size(), 422U);
  // INTEGER 65537 ends the structure.
  const Bytes exponent = {0x02, 0x03, 0x01, 0x00, 0x01};
  EXPECT_TRUE(std::ranges::equal(spki.last(5), exponent));
}

// ------------------------------------------------------------------------------------------- MACs

TEST_F(NativeKeysTest, AnHmacKeyOfKnownValueComputesWhatOpenSslDoes) {
  // RFC 4231 has no keys as long as ours; tests/vectors has published answers for such.
  for (const KeySpec spec :
       {KeySpec::kHmac224, KeySpec::kHmac256, KeySpec::kHmac384, KeySpec::kHmac512}) {
    SCOPED_TRACE(to_string(spec));
    const MaterialKind kind{spec, KeyUsage::kGenerateVerifyMac};
    const AlgorithmRow& row = row_of(algorithms_of(spec, kind.usage).front());
    const Bytes value(hash_size(row.hash), 0xaa);
    Material material;
    material.object_name = draw_name();
    material.kind = kind;
    material.construction = Construction::kNative;
    const auto hmac = [&](std::string_view text) {
      const char* digest = spec == KeySpec::kHmac224   ? "SHA224"
                           : spec == KeySpec::kHmac256 ? "SHA256"
                           : spec == KeySpec::kHmac384 ? "SHA384"
                                                       : "SHA512";
      Bytes out(64);
      std::size_t size = 0;
      EVP_Q_mac(nullptr, "HMAC", nullptr, digest, nullptr, value.data(), value.size(),
                as_bytes(text).data(), text.size(), out.data(), out.size(), &size);
      out.resize(size);
      return out;
    };
    material.check_value = hmac("keyhold check");
    pkcs11::Attributes planted = hmac_key_template(profile(), Residence::kToken, kind,
                                                   material.object_name.bytes(), "planted");
    planted.remove(CKA_VALUE_LEN).remove(CKA_MODIFIABLE).bytes(CKA_VALUE, value);
    Intruder().plant(planted);
    const auto mac = token_->sign(material, row.algorithm, kRaw);
    ASSERT_TRUE(mac) << why(mac);
    EXPECT_EQ(*mac, hmac("message"));
  }
}

// ------------------------------------------------------------------------------------------ RSAES

TEST_F(NativeKeysTest, DecryptsWhatOpenSslEncryptedUpToTheLastByteThatFits) {
  const MaterialKind kind{KeySpec::kRsa2048, KeyUsage::kEncryptDecrypt};
  const Material material = generate_native(kind);
  EXPECT_EQ(material.custody, Custody::kHostStaged);
  for (const Algorithm algorithm : algorithms_of(kind.spec, kind.usage)) {
    SCOPED_TRACE(to_string(algorithm));
    const std::size_t most = max_oaep_message(row_of(kind.spec), row_of(algorithm));
    for (const std::size_t size : {std::size_t{1}, most}) {
      const Bytes plaintext(size, 7);
      const auto ciphertext = token_->encrypt_padded(material, algorithm, plaintext);
      ASSERT_TRUE(ciphertext) << why(ciphertext);
      EXPECT_EQ(ciphertext->size(), 256U);
      const auto opened = token_->decrypt_padded(material, algorithm, *ciphertext);
      ASSERT_TRUE(opened) << why(opened);
      EXPECT_TRUE(std::ranges::equal(opened->view(), plaintext));
    }
    EXPECT_FALSE(token_->encrypt_padded(material, algorithm, Bytes(most + 1, 7)));
  }
}

TEST_F(NativeKeysTest, ABlockThatDoesNotDecryptIsTheCallersWhateverIsWrongWithIt) {
  const MaterialKind kind{KeySpec::kRsa2048, KeyUsage::kEncryptDecrypt};
  const Material material = generate_native(kind);
  for (const Algorithm algorithm : algorithms_of(kind.spec, kind.usage)) {
    SCOPED_TRACE(to_string(algorithm));
    const Algorithm other = algorithm == Algorithm::kRsaesOaepSha1 ? Algorithm::kRsaesOaepSha256
                                                                   : Algorithm::kRsaesOaepSha1;
    Bytes ciphertext = *token_->encrypt_padded(material, algorithm, kMessage);
    const auto refused = [&](ByteView block) {
      const auto opened = token_->decrypt_padded(material, algorithm, block);
      return !opened && opened.error().code() == ErrorCode::kInvalidCiphertext &&
             opened.error().message().empty();
    };
    EXPECT_TRUE(refused(*token_->encrypt_padded(material, other, kMessage)));
    EXPECT_TRUE(refused(Bytes(256, 0xff)));  // not below the modulus
    EXPECT_TRUE(refused(Bytes(256, 0)));
    EXPECT_TRUE(refused(Bytes(255, 1)));
    EXPECT_TRUE(refused(Bytes(257, 1)));
    EXPECT_TRUE(refused({}));
    ciphertext[200] ^= 1;
    EXPECT_TRUE(refused(ciphertext));
  }
  EXPECT_EQ(token_->usage().recoveries, 0U);
}

TEST_F(NativeKeysTest, WithoutTheSwitchNoPaddingIsRemovedOutsideOfTheToken) {
  close();
  open({"keys.remove_oaep_padding_in_service=false"});
  const MaterialKind kind{KeySpec::kRsa2048, KeyUsage::kEncryptDecrypt};
  const Material material = generate_native(kind);
  EXPECT_EQ(material.custody, Custody::kResident);
  EXPECT_TRUE(token_->encrypt_padded(material, Algorithm::kRsaesOaepSha1, kMessage));
  for (const auto& code :
       {token_->encrypt_padded(material, Algorithm::kRsaesOaepSha256, kMessage).error(),
        token_->decrypt_padded(material, Algorithm::kRsaesOaepSha256, Bytes(256, 1)).error()}) {
    EXPECT_EQ(code.code(), ErrorCode::kUnsupportedOperation);
    EXPECT_EQ(code.message(),
              "Algorithm RSAES_OAEP_SHA_256 is not supported: the token has no CKM_RSA_PKCS_OAEP "
              "with SHA-256.");
  }
  // The switch changes nothing for a key that was made without it.
  close();
  open();
  EXPECT_FALSE(token_->encrypt_padded(material, Algorithm::kRsaesOaepSha256, kMessage));
  EXPECT_TRUE(token_->encrypt_padded(material, Algorithm::kRsaesOaepSha1, kMessage));
}

TEST(OaepPadding, IsRemovedFromWhatOpenSslPaddedAndFromNothingElse) {
  const AlgorithmRow& row = row_of(Algorithm::kRsaesOaepSha256);
  openssl::Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", std::size_t{2048}));
  Bytes spki(static_cast<std::size_t>(i2d_PUBKEY(key.get(), nullptr)));
  unsigned char* at = spki.data();
  i2d_PUBKEY(key.get(), &at);
  const PublicKey public_key(spki);
  const auto bare = [&](const Bytes& ciphertext) {
    const openssl::KeyContext context(EVP_PKEY_CTX_new(key.get(), nullptr));
    EVP_PKEY_decrypt_init(context.get());
    EVP_PKEY_CTX_set_rsa_padding(context.get(), RSA_NO_PADDING);
    Bytes block(256);
    std::size_t size = block.size();
    EVP_PKEY_decrypt(context.get(), block.data(), &size, ciphertext.data(), ciphertext.size());
    return block;
  };
  const Bytes block = bare(*public_key.encrypt(row, kMessage));
  const auto opened = remove_oaep_padding(row, block);
  ASSERT_TRUE(opened);
  EXPECT_TRUE(std::ranges::equal(opened->view(), kMessage));
  EXPECT_FALSE(remove_oaep_padding(row_of(Algorithm::kRsaesOaepSha1), block));
  for (const std::size_t place :
       {std::size_t{0}, std::size_t{1}, std::size_t{40}, block.size() - 1}) {
    Bytes damaged = block;
    damaged[place] ^= 1;
    EXPECT_FALSE(remove_oaep_padding(row, damaged)) << place;
  }
}

// ---------------------------------------------------------------------------------- key agreement

TEST_F(NativeKeysTest, AgreesOnTheSecretThatThePeerComputes) {
  for (const KeySpec spec : {KeySpec::kEccNistP256, KeySpec::kEccNistP384, KeySpec::kEccNistP521}) {
    SCOPED_TRACE(to_string(spec));
    const Material material = generate_native({spec, KeyUsage::kKeyAgreement});
    const auto peer = material.public_key->exchange();
    ASSERT_TRUE(peer);
    const auto secret = token_->agree(material, peer->point);
    ASSERT_TRUE(secret) << why(secret);
    EXPECT_TRUE(std::ranges::equal(secret->view(), peer->shared));
  }
}

TEST_F(NativeKeysTest, PeersAreTakenOnlyInTheOneEncodingOfAPointOfTheCurve) {
  const Material p256 = generate_native({KeySpec::kEccNistP256, KeyUsage::kKeyAgreement});
  const Material p384 = generate_native({KeySpec::kEccNistP384, KeyUsage::kKeyAgreement});
  const Material k256 = generate_native({KeySpec::kEccSecgP256K1, KeyUsage::kSignVerify});
  const ByteView good = p256.public_key->spki();
  ASSERT_TRUE(peer_point(KeySpec::kEccNistP256, good));
  EXPECT_FALSE(peer_point(KeySpec::kEccNistP384, good));
  EXPECT_FALSE(peer_point(KeySpec::kEccNistP256, p384.public_key->spki()));
  EXPECT_FALSE(peer_point(KeySpec::kEccNistP256, k256.public_key->spki()));
  EXPECT_FALSE(peer_point(KeySpec::kEccNistP256, as_bytes("InvalidPublicKey")));
  EXPECT_FALSE(peer_point(KeySpec::kEccNistP256, {}));

  Bytes trailing(good.begin(), good.end());
  trailing.push_back(0);
  EXPECT_FALSE(peer_point(KeySpec::kEccNistP256, trailing));
  Bytes off_the_curve(good.begin(), good.end());
  off_the_curve.back() ^= 1;
  EXPECT_FALSE(peer_point(KeySpec::kEccNistP256, off_the_curve));
  // The same key with its point compressed: 0x02 or 0x03 and x alone.
  Bytes compressed(good.begin(), good.begin() + 27 + 32);
  compressed[1] = 0x39;
  compressed[24] = 0x22;
  compressed[26] = static_cast<std::uint8_t>(2 + (good.back() & 1));
  EXPECT_FALSE(peer_point(KeySpec::kEccNistP256, compressed));
  // The same in the hybrid form of X9.62: all of the point, with the parity of y in front.
  Bytes hybrid(good.begin(), good.end());
  hybrid[26] = static_cast<std::uint8_t>(6 + (good.back() & 1));
  EXPECT_FALSE(peer_point(KeySpec::kEccNistP256, hybrid));
  // The point at infinity: one zero byte.
  Bytes infinity(good.begin(), good.begin() + 27);
  infinity[1] = 0x19;
  infinity[24] = 0x02;
  infinity[26] = 0;
  EXPECT_FALSE(peer_point(KeySpec::kEccNistP256, infinity));
}

// --------------------------------------------------------------------------------- data key pairs

class DataKeyPairTest : public NativeKeysTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(DataKeyPairTest, ArePkcs8AndSpkiOfOneKeyAndLeaveNothingBehind) {
  close();
  open({std::string("keys.data_key_pairs=") + GetParam()});
  for (const KeySpecRow& row : key_spec_rows()) {
    if (row.data_key_pairs == KeySpecRow::DataKeyPairs::kNone || row.form == KeyForm::kSm2)
      continue;
    if (row.spec == KeySpec::kRsa3072 || row.spec == KeySpec::kRsa4096) continue;
    SCOPED_TRACE(to_string(row.spec));
    EXPECT_TRUE(token_->check_data_key_pair(row.spec));
    const auto pair = token_->generate_data_key_pair(row.spec);
    ASSERT_TRUE(pair) << why(pair);
    const unsigned char* at = pair->private_key.data();
    const openssl::Key key(
        d2i_AutoPrivateKey(nullptr, &at, static_cast<long>(pair->private_key.size())));
    ASSERT_NE(key, nullptr);
    EXPECT_EQ(at, pair->private_key.data() + pair->private_key.size());
    Bytes spki(static_cast<std::size_t>(i2d_PUBKEY(key.get(), nullptr)));
    unsigned char* out = spki.data();
    i2d_PUBKEY(key.get(), &out);
    EXPECT_EQ(spki, pair->public_key);
    const auto other = token_->generate_data_key_pair(row.spec);
    ASSERT_TRUE(other) << why(other);
    EXPECT_NE(other->public_key, pair->public_key);
  }
  EXPECT_TRUE(token_->list_objects()->empty());
  pkcs11::Attributes session_keys;
  session_keys.no(CKA_TOKEN);
  EXPECT_EQ(Intruder().find(session_keys).size(), 1U);  // the health key
}

INSTANTIATE_TEST_SUITE_P(MadeIn, DataKeyPairTest, ::testing::Values("token", "service"),
                         [](const auto& one) { return std::string(one.param); });

// ------------------------------------------------------------------------------------ capabilities

TEST_F(NativeKeysTest, WhatTheTokenLacksIsRefusedByASentenceThatNamesIt) {
  const auto refusal = [&](KeySpec spec) {
    const auto made =
        token_->generate_material(draw_name(), "a key", {spec, *row_of(spec).usages.begin()});
    return made ? std::string("made") : made.error().message();
  };
  for (const KeySpec spec : {KeySpec::kMlDsa44, KeySpec::kMlDsa65, KeySpec::kMlDsa87}) {
    EXPECT_EQ(refusal(spec), "KeySpec " + std::string(to_string(spec)) +
                                 " is not supported: the token has no CKM_ML_DSA_KEY_PAIR_GEN.");
  }
  EXPECT_EQ(refusal(KeySpec::kSm2),
            "KeySpec SM2 is not supported: PKCS#11 has no mechanism for it.");
  EXPECT_TRUE(token_->list_objects()->empty());
}

TEST_F(NativeKeysTest, AnEd25519phThatIsSilentlyEd25519IsNotTakenForIt) {
  const MaterialKind kind{KeySpec::kEccNistEdwards25519, KeyUsage::kSignVerify};
  EXPECT_TRUE(token_->check_algorithm(kind, Custody::kResident, Algorithm::kEd25519Sha512));
  const auto checked =
      token_->check_algorithm(kind, Custody::kResident, Algorithm::kEd25519PhSha512);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().message(),
            "Algorithm ED25519_PH_SHA_512 is not supported: the token has no CKM_EDDSA with phFlag "
            "(Ed25519ph).");
  EXPECT_NE(checked.error().detail().find("a wrong answer"), std::string::npos);
}

TEST_F(NativeKeysTest, MechanismsThatAreTakenAwayTakeTheirKeysAlong) {
  close();
  std::ofstream(folder_.path() / "softhsm2.conf", std::ios::app)
      << "slots.mechanisms = -,CKM_ECDSA,CKM_SHA384_HMAC,CKM_RSA_PKCS_KEY_PAIR_GEN,CKM_EDDSA\n";
  open();
  const auto lacks = [&](KeySpec spec, KeyUsage usage) {
    const auto checked = token_->check_kind({spec, usage});
    return checked ? std::string() : checked.error().message();
  };
  EXPECT_EQ(lacks(KeySpec::kEccNistP256, KeyUsage::kKeyAgreement), "");
  EXPECT_NE(lacks(KeySpec::kEccNistP256, KeyUsage::kSignVerify).find("CKM_ECDSA"),
            std::string::npos);
  EXPECT_NE(lacks(KeySpec::kHmac384, KeyUsage::kGenerateVerifyMac).find("HMAC with SHA-384"),
            std::string::npos);
  EXPECT_EQ(lacks(KeySpec::kHmac256, KeyUsage::kGenerateVerifyMac), "");
  EXPECT_NE(lacks(KeySpec::kRsa4096, KeyUsage::kSignVerify).find("CKM_RSA_PKCS_KEY_PAIR_GEN"),
            std::string::npos);
  EXPECT_NE(lacks(KeySpec::kEccNistEdwards25519, KeyUsage::kSignVerify).find("CKM_EDDSA"),
            std::string::npos);
}

}  // namespace
}  // namespace keyhold::token::test

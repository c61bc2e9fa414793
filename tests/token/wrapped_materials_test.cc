// Key materials of wrapped custody: what is left of them in the token, what their rows promise, and
// what is refused.
#include <algorithm>
#include <cstring>
#include <vector>

#include "token/key_template.h"
#include "token_fixture.h"

namespace keyhold::token::test {
namespace {

constexpr MaterialKind kHmac{KeySpec::kHmac256, KeyUsage::kGenerateVerifyMac};

/// Which secret keys are seen, of the token and of sessions.
pkcs11::Attributes secret_keys() {
  pkcs11::Attributes matching;
  matching.number(CKA_CLASS, CKO_SECRET_KEY);
  return matching;
}

/// An attribute's value. Allowed mechanisms are a set, which a token shows in an order of its own.
Bytes value_of(CK_ATTRIBUTE_TYPE type, ByteView bytes) {
  if (type != CKA_ALLOWED_MECHANISMS) return {bytes.begin(), bytes.end()};
  std::vector<CK_MECHANISM_TYPE> mechanisms(bytes.size() / sizeof(CK_MECHANISM_TYPE));
  std::memcpy(mechanisms.data(), bytes.data(), mechanisms.size() * sizeof(CK_MECHANISM_TYPE));
  std::ranges::sort(mechanisms);
  Bytes sorted(bytes.size());
  std::memcpy(sorted.data(), mechanisms.data(), mechanisms.size() * sizeof(CK_MECHANISM_TYPE));
  return sorted;
}

class WrappedMaterialsTest : public TokenTest {
 protected:
  void SetUp() override {
    TokenTest::SetUp();
    custody_ = Custody::kWrapped;
    open();
  }

  Result<Bytes> mac(const Material& material, Algorithm algorithm = Algorithm::kHmacSha256) {
    return token_->sign(material, algorithm, {MessageType::kRaw, as_bytes("message")});
  }
  std::string round_trip(const Material& material) {
    const auto key = token_->encryption_key(material);
    if (!key) return why(key);
    Bytes iv(token_->iv_size());
    random_.fill(iv);
    const auto sealed = token_->encrypt(**key, iv, as_bytes("aad"), as_bytes("plaintext"));
    if (!sealed) return why(sealed);
    const auto opener = token_->decryption_key(material, (*key)->salt(), (*key)->header_tag());
    if (!opener) return why(opener);
    const auto opened = token_->decrypt(**opener, iv, as_bytes("aad"), *sealed);
    return opened ? std::string(opened->text()) : why(opened);
  }
  static Material with_form(const Material& material, const WrappedForm& form) {
    Material changed = material;
    changed.wrapped = std::make_shared<const WrappedForm>(form);
    return changed;
  }
  void expect_refused(const Material& material, std::string_view detail) {
    const auto used = material.kind.usage == KeyUsage::kEncryptDecrypt
                          ? Result<void>(token_->encryption_key(material)
                                             ? Result<void>()
                                             : token_->encryption_key(material).error())
                          : (mac(material) ? Result<void>() : Result<void>(mac(material).error()));
    ASSERT_FALSE(used) << "it was used";
    EXPECT_EQ(used.error().code(), ErrorCode::kKmsInternal);
    EXPECT_NE(used.error().detail().find(detail), std::string::npos) << why(used);
    EXPECT_FALSE(token_->check_material(material));
  }
};

TEST_F(WrappedMaterialsTest, NothingOfANewMaterialIsLeftInTheTokenThatCouldLeaveIt) {
  custody_key();
  for (const MaterialKind kind : {MaterialKind{}, kHmac}) {
    const Material material = generate("subject", kind);
    EXPECT_EQ(material.custody, Custody::kWrapped);
    Intruder intruder;
    for (const auto object : intruder.find(secret_keys())) {
      for (const auto& [type, value] :
           {std::pair{CKA_EXTRACTABLE, false}, std::pair{CKA_SENSITIVE, true}}) {
        const auto shown = pkcs11::get_attribute(intruder.session(), object, type);
        ASSERT_TRUE(shown) << shown.error().text();
        EXPECT_EQ(shown->flag(), value);
      }
    }
    pkcs11::Attributes named;
    named.bytes(CKA_ID, material.object_name.bytes());
    EXPECT_TRUE(intruder.find(named).empty());
  }
  EXPECT_EQ(token_->list_objects()->size(), 2U) << "the two of the custody key alone";
}

TEST_F(WrappedMaterialsTest, TheCustodyKeyHasEveryAttributeOfItsTemplates) {
  const ObjectName name = custody_key().object_name;
  const std::array templates = {
      custody_wrapping_key_template(profile(), Residence::kToken, name.bytes(),
                                    "keyhold custody wrapping key"),
      custody_sealing_key_template(profile(), Residence::kToken, name.bytes(),
                                   "keyhold custody sealing key")};
  Intruder intruder;
  for (const auto& attributes : templates) {
    pkcs11::Attributes matching;
    matching.bytes(CKA_ID, name.bytes()).bytes(CKA_KEY_TYPE, *attributes.value(CKA_KEY_TYPE));
    const auto objects = intruder.find(matching);
    ASSERT_EQ(objects.size(), 1U);
    for (const CK_ATTRIBUTE_TYPE type : attributes.types()) {
      if (!attributes.value(type)) continue;  // CKA_UNWRAP_TEMPLATE: what it does is tried below
      const auto shown = pkcs11::get_attribute(intruder.session(), objects[0], type);
      ASSERT_TRUE(shown) << shown.error().text();
      EXPECT_EQ(value_of(type, shown->value.view()), value_of(type, *attributes.value(type)))
          << std::hex << type;
    }
  }
}

TEST_F(WrappedMaterialsTest, MaterialsOfEveryKindOutliveTheProcessesUseOfTheToken) {
  const Material symmetric = generate();
  std::vector<std::pair<Material, Bytes>> macs;
  for (const auto& [spec, algorithm] : {std::pair{KeySpec::kHmac224, Algorithm::kHmacSha224},
                                        std::pair{KeySpec::kHmac256, Algorithm::kHmacSha256},
                                        std::pair{KeySpec::kHmac384, Algorithm::kHmacSha384},
                                        std::pair{KeySpec::kHmac512, Algorithm::kHmacSha512}}) {
    const Material material = generate("subject", {spec, KeyUsage::kGenerateVerifyMac});
    const auto made = mac(material, algorithm);
    ASSERT_TRUE(made) << why(made);
    macs.emplace_back(material, *made);
  }
  close();
  open();
  EXPECT_EQ(round_trip(symmetric), "plaintext");
  EXPECT_TRUE(token_->check_material(symmetric));
  for (const auto& [material, before] : macs) {
    const auto again =
        mac(material, algorithms_of(material.kind.spec, material.kind.usage).front());
    ASSERT_TRUE(again) << why(again);
    EXPECT_EQ(*again, before);
    EXPECT_TRUE(token_->check_material(material));
  }
}

TEST_F(WrappedMaterialsTest, DirectMaterialsAreHeldForAsLongAsTheirKeysAre) {
  close();
  open({"keys.derivation=none", "message_keys.unwrapped_material_cache=16"});
  const Material first = generate();
  EXPECT_EQ(first.construction, Construction::kDirect);
  EXPECT_EQ(round_trip(first), "plaintext");
  for (int i = 0; i < 40; ++i) EXPECT_EQ(round_trip(generate()), "plaintext");
  EXPECT_EQ(round_trip(first), "plaintext");
}

TEST_F(WrappedMaterialsTest, NoBlobAndNoRowPassesForAnothers) {
  const Material material = generate("one");
  const Material other = generate("two");
  const WrappedForm& form = *material.wrapped;
  close();
  open();
  WrappedForm swapped = *other.wrapped;
  expect_refused(with_form(material, swapped), "not as it was sealed");
  swapped = form;
  swapped.blob = other.wrapped->blob;
  expect_refused(with_form(material, swapped), "not as it was sealed");
  for (std::size_t i = 0; i < form.blob.size(); ++i) {
    WrappedForm damaged = form;
    damaged.blob[i] ^= 1;
    expect_refused(with_form(material, damaged), "not as it was sealed");
  }
  Material changed = material;
  changed.subject = other.subject;
  expect_refused(changed, "not as it was sealed");
  changed = material;
  changed.object_name = other.object_name;
  expect_refused(changed, "not as it was sealed");
  changed = material;
  changed.check_value = other.check_value;
  expect_refused(changed, "not as it was sealed");
  changed = material;
  changed.kind = kHmac;
  changed.construction = Construction::kNative;
  expect_refused(changed, "not as it was sealed");
  changed = material;
  changed.construction = Construction::kDirect;
  expect_refused(changed, "not as it was sealed");
  changed = material;
  changed.wrapped = nullptr;
  expect_refused(changed, "holds no wrapped key material");
  EXPECT_EQ(round_trip(material), "plaintext");
  EXPECT_EQ(round_trip(other), "plaintext");
}

TEST_F(WrappedMaterialsTest, ARowThatWasSealedUnderAnotherCustodyKeyIsRefused) {
  const Material material = generate();
  const CustodyKey first = custody_key();
  custody_key_.reset();
  WrappedForm moved = *material.wrapped;
  moved.custody_key = custody_key().object_name;
  expect_refused(with_form(material, moved), "not as it was sealed");
}

TEST_F(WrappedMaterialsTest, NoMoreAreHeldUnwrappedThanTheProfileSays) {
  close();
  open({"message_keys.unwrapped_material_cache=16"});
  std::vector<Material> materials;
  for (int i = 0; i < 40; ++i) {
    materials.push_back(generate("subject", i % 2 == 0 ? MaterialKind{} : kHmac));
  }
  const auto use = [&](const Material& material) {
    if (material.kind == kHmac) {
      EXPECT_TRUE(mac(material));
    } else {
      EXPECT_EQ(round_trip(material), "plaintext");
    }
  };
  for (int round = 0; round < 2; ++round) {
    for (const Material& material : materials) use(material);
    EXPECT_LE(token_->usage().unwrapped_materials, 16U);
  }
}

TEST_F(WrappedMaterialsTest, AMaterialIsUnwrappedOnceForManyMessageKeys) {
  close();
  open({"message_keys.max_messages=1"});
  const Material material = generate();
  EXPECT_EQ(round_trip(material), "plaintext");
  const auto before = token_->usage().session_objects_made;
  for (int i = 0; i < 10; ++i) EXPECT_EQ(round_trip(material), "plaintext");
  EXPECT_EQ(token_->usage().session_objects_made, before + 10);
}

TEST_F(WrappedMaterialsTest, DestroyingLetsGoOfWhatWasUnwrapped) {
  custody_key();
  const Material material = generate("subject", kHmac);
  ASSERT_TRUE(mac(material));
  const auto before = Intruder().find(secret_keys()).size();
  ASSERT_TRUE(token_->destroy_material(material.object_name));
  EXPECT_EQ(Intruder().find(secret_keys()).size(), before - 1);
  EXPECT_EQ(token_->usage().unwrapped_materials, 0U);
}

TEST_F(WrappedMaterialsTest, AMaterialThatIsWrappedAnewIsTheSameAndNeedsTheOldKeyNoMore) {
  const Material symmetric = generate();
  const Material hmac = generate("subject", kHmac);
  const auto key = token_->encryption_key(symmetric);
  ASSERT_TRUE(key);
  Bytes iv(token_->iv_size());
  random_.fill(iv);
  const auto sealed = token_->encrypt(**key, iv, as_bytes("aad"), as_bytes("old"));
  const auto before = mac(hmac);
  ASSERT_TRUE(sealed && before);
  const CustodyKey old = custody_key();
  custody_key_.reset();

  const auto moved = token_->rewrap_material(symmetric, custody_key());
  ASSERT_TRUE(moved) << why(moved);
  EXPECT_EQ(moved->custody_key, custody_key().object_name);
  EXPECT_NE(moved->blob, symmetric.wrapped->blob);
  const auto moved_hmac = token_->rewrap_material(hmac, custody_key());
  ASSERT_TRUE(moved_hmac) << why(moved_hmac);
  for (const auto object : Intruder().find(secret_keys())) {
    Intruder intruder;
    EXPECT_EQ(pkcs11::get_attribute(intruder.session(), object, CKA_EXTRACTABLE)->flag(), false);
  }
  ASSERT_TRUE(token_->destroy_material(old.object_name));
  close();
  open();
  const Material now = with_form(symmetric, *moved);
  const auto opener = token_->decryption_key(now, (*key)->salt(), (*key)->header_tag());
  ASSERT_TRUE(opener) << why(opener);
  const auto opened = token_->decrypt(**opener, iv, as_bytes("aad"), *sealed);
  ASSERT_TRUE(opened) << why(opened);
  EXPECT_EQ(opened->text(), "old");
  EXPECT_EQ(*mac(with_form(hmac, *moved_hmac)), *before);
  EXPECT_FALSE(token_->check_material(symmetric)) << "the old key is gone";
}

TEST_F(WrappedMaterialsTest, ADamagedRowIsNotWrappedAnew) {
  const Material material = generate();
  WrappedForm damaged = *material.wrapped;
  damaged.blob.back() ^= 1;
  custody_key_.reset();
  const auto moved = token_->rewrap_material(with_form(material, damaged), custody_key());
  ASSERT_FALSE(moved);
  EXPECT_EQ(moved.error().code(), ErrorCode::kKmsInternal);
}

TEST_F(WrappedMaterialsTest, NothingIsWrappedUnderAKeyThatSomebodyPlanted) {
  const CustodyKey key = custody_key();
  EXPECT_TRUE(token_->check_custody_key(key));
  pkcs11::Attributes planted = custody_wrapping_key_template(
      profile(), Residence::kToken, key.object_name.bytes(), "keyhold custody wrapping key");
  planted.remove(CKA_VALUE_LEN).remove(CKA_MODIFIABLE).remove(CKA_UNWRAP_TEMPLATE);
  planted.bytes(CKA_VALUE, Bytes(32, 1));
  Intruder().plant(planted);
  close();
  open();
  const auto made = token_->generate_wrapped_material(key, draw_name(), {}, as_bytes("subject"));
  ASSERT_FALSE(made) << "it was wrapped under a key of known value";
  EXPECT_FALSE(token_->check_custody_key(key));
}

TEST_F(WrappedMaterialsTest, ACustodyKeyIsComparedWithItsCheckValueBeforeItsFirstUse) {
  const CustodyKey key = custody_key();
  custody_key_.reset();
  CustodyKey other = custody_key();
  other.check_value = key.check_value;
  const auto made = token_->generate_wrapped_material(other, draw_name(), {}, as_bytes("subject"));
  ASSERT_FALSE(made);
  EXPECT_NE(made.error().detail().find("not the one that its check value was taken of"),
            std::string::npos)
      << why(made);
  EXPECT_FALSE(token_->check_custody_key(other));
  EXPECT_TRUE(token_->check_custody_key(key));
}

TEST_F(WrappedMaterialsTest, TheEvidenceShowsTheWrappingKeyAndWhatIsUnwrapped) {
  const auto shown = token_->wrapped_evidence(generate());
  ASSERT_TRUE(shown) << why(shown);
  EXPECT_EQ(shown->wrapping_key.local, true);
  EXPECT_EQ(shown->wrapping_key.never_extractable, true);
  EXPECT_EQ(shown->wrapping_key.always_sensitive, true);
  EXPECT_EQ(shown->unwrapped.sensitive, true);
  EXPECT_EQ(shown->unwrapped.extractable, false);
  EXPECT_EQ(shown->unwrapped.never_extractable, false) << "it was extractable when it was wrapped";
}

TEST_F(WrappedMaterialsTest, TheProfileSaysWhatIsWrappedAndPairsAreNot) {
  EXPECT_EQ(token_->custody({}), Custody::kResident);
  close();
  open({"keys.custody=wrapped"});
  EXPECT_EQ(token_->custody({}), Custody::kWrapped);
  EXPECT_EQ(token_->custody(kHmac), Custody::kWrapped);
  EXPECT_EQ(token_->custody({KeySpec::kEccNistP256, KeyUsage::kSignVerify}), Custody::kResident);
  for (const MaterialKind kind : {MaterialKind{}, kHmac}) EXPECT_TRUE(token_->check_kind(kind));
}

TEST_F(WrappedMaterialsTest, KindsThatTheTokenDoesNotWrapAreRefusedByName) {
  close();
  open({"keys.custody=wrapped", "keys.wrap_mechanism=0x80000001"});
  const auto checked = token_->check_kind({});
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code(), ErrorCode::kUnsupportedOperation);
  EXPECT_NE(checked.error().message().find("wrapped custody"), std::string::npos) << why(checked);
  EXPECT_TRUE(token_->check_kind({KeySpec::kEccNistP256, KeyUsage::kSignVerify}));
}

TEST_F(WrappedMaterialsTest, WhatWouldTakeAWrappedMaterialOutIsTriedAndStated) {
  close();
  open({"keys.custody=wrapped"});
  std::vector<std::pair<std::string, Outcome>> tried;
  for (const AdmissionAct& act : token_->admission().forbidden) {
    if (act.act.find("wrapped") != std::string::npos) tried.emplace_back(act.act, act.outcome);
  }
  const decltype(tried) expected = {
      {"wrap a key material again that was unwrapped to be used", Outcome::kRefused},
      {"decrypt a wrapped key material as if it were data", Outcome::kRefused},
      {"unwrap a wrapped key material readable", Outcome::kRefused}};
  EXPECT_EQ(tried, expected);
}

}  // namespace
}  // namespace keyhold::token::test

#include "token_fixture.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <stdlib.h>

#include <stdexcept>

#include "tests/support/places.h"
#include "token/key_template.h"
#include "token/softhsm.h"

namespace keyhold::token::test {

void TokenTest::SetUp() {
  const auto prepared = prepare_softhsm(
      {folder_.path().string(), module_path(), "keyhold", Secret("so-pin-1234"), Secret(kPin)});
  ASSERT_TRUE(prepared) << why(prepared);
  overrides_ = *prepared;
}

void TokenTest::TearDown() { close(); }

Profile TokenTest::profile(std::vector<std::string> overrides) const {
  std::vector<std::string> all = overrides_;
  all.insert(all.end(), overrides.begin(), overrides.end());
  auto profile = read_profile(keyhold::test::source_folder() + "/hsm-config/softhsm-2.6.toml", all);
  if (!profile) throw std::runtime_error(profile.error().message());
  return *profile;
}

void TokenTest::open(std::vector<std::string> overrides) {
  auto opened = Pkcs11Token::open(profile(std::move(overrides)), Secret(kPin), clock_, random_);
  ASSERT_TRUE(opened) << why(opened);
  token_ = std::move(*opened);
}

const CustodyKey& TokenTest::custody_key() {
  if (!custody_key_) {
    const ObjectName name = draw_name();
    const auto made = token_->generate_custody_key(name);
    if (!made) throw std::runtime_error(why(made));
    custody_key_ = CustodyKey{name, *made};
  }
  return *custody_key_;
}

Material TokenTest::generate(std::string_view subject, MaterialKind kind) {
  Material material;
  material.object_name = draw_name();
  material.kind = kind;
  material.subject = Bytes(subject.begin(), subject.end());
  auto made = custody_ == Custody::kWrapped
                  ? token_->generate_wrapped_material(custody_key(), material.object_name, kind,
                                                      material.subject)
                  : token_->generate_material(material.object_name, "a key", kind);
  if (!made) throw std::runtime_error(why(made));
  material.construction = made->construction;
  material.check_value = made->check_value;
  material.custody = made->custody;
  if (made->wrapped) material.wrapped = std::make_shared<const WrappedForm>(*made->wrapped);
  return material;
}

std::filesystem::path TokenTest::token_folder() const {
  for (const auto& entry : std::filesystem::directory_iterator(tokens())) {
    if (entry.is_directory()) return entry.path();
  }
  throw std::runtime_error("no token folder");
}

namespace {

template <typename T>
T must(pkcs11::Result<T> result) {
  if (!result) throw std::runtime_error(result.error().text());
  return std::move(*result);
}

}  // namespace

Intruder::Intruder(const std::string& module_path) {
  pkcs11::ModuleOptions options;
  options.path = module_path;
  module_ = must(pkcs11::Module::load(options));
  pkcs11::TokenSelector selector;
  selector.label = "keyhold";
  const auto token = must(pkcs11::find_token(*module_, selector));
  session_ = std::make_unique<pkcs11::Session>(
      must(pkcs11::Session::open(*module_, token.slot, pkcs11::Access::kReadWrite)));
  const auto login = session_->login(CKU_USER, pkcs11::SecretBytes(std::string_view(kPin)));
  if (!login && login.error().rv() != CKR_USER_ALREADY_LOGGED_IN) {
    throw std::runtime_error(login.error().text());
  }
}

Intruder::~Intruder() {
  session_.reset();
  static_cast<void>(module_->finalize());
}

void Intruder::plant_key(const ObjectName& name, ByteView value, const Profile& profile,
                         Derivation derivation) {
  pkcs11::Attributes attributes =
      derivation == Derivation::kEcb
          ? derived_material_template(profile, Residence::kToken, name.bytes(), "planted")
          : direct_material_template(profile, Residence::kToken, name.bytes(), "planted");
  attributes.remove(CKA_VALUE_LEN).remove(CKA_MODIFIABLE).bytes(CKA_VALUE, value);
  plant(attributes);
}

void Intruder::plant(const pkcs11::Attributes& attributes) {
  must(pkcs11::create_object(*session_, attributes));
}

std::vector<pkcs11::ObjectHandle> Intruder::find(const pkcs11::Attributes& matching) {
  return must(pkcs11::find_objects(*session_, matching));
}

Bytes aes_ecb(ByteView key, ByteView blocks) {
  std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(EVP_CIPHER_CTX_new(),
                                                                          &EVP_CIPHER_CTX_free);
  EVP_EncryptInit_ex(context.get(), EVP_aes_256_ecb(), nullptr, key.data(), nullptr);
  EVP_CIPHER_CTX_set_padding(context.get(), 0);
  Bytes out(blocks.size());
  int size = 0;
  EVP_EncryptUpdate(context.get(), out.data(), &size, blocks.data(),
                    static_cast<int>(blocks.size()));
  return out;
}

Bytes aes_cmac(ByteView key, ByteView message) {
  std::unique_ptr<EVP_MAC, decltype(&EVP_MAC_free)> mac(EVP_MAC_fetch(nullptr, "CMAC", nullptr),
                                                        &EVP_MAC_free);
  std::unique_ptr<EVP_MAC_CTX, decltype(&EVP_MAC_CTX_free)> context(EVP_MAC_CTX_new(mac.get()),
                                                                    &EVP_MAC_CTX_free);
  char cipher[] = "AES-256-CBC";
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_CIPHER, cipher, 0),
      OSSL_PARAM_construct_end()};
  EVP_MAC_init(context.get(), key.data(), key.size(), parameters);
  EVP_MAC_update(context.get(), message.data(), message.size());
  Bytes out(16);
  std::size_t size = 0;
  EVP_MAC_final(context.get(), out.data(), &size, out.size());
  return out;
}

Bytes aes_gcm(ByteView key, ByteView iv, ByteView aad, ByteView plaintext) {
  std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(EVP_CIPHER_CTX_new(),
                                                                          &EVP_CIPHER_CTX_free);
  EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, key.data(), iv.data());
  int size = 0;
  EVP_EncryptUpdate(context.get(), nullptr, &size, aad.data(), static_cast<int>(aad.size()));
  Bytes out(plaintext.size() + 16);
  EVP_EncryptUpdate(context.get(), out.data(), &size, plaintext.data(),
                    static_cast<int>(plaintext.size()));
  EVP_EncryptFinal_ex(context.get(), out.data() + size, &size);
  EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, 16, out.data() + plaintext.size());
  return out;
}

}  // namespace keyhold::token::test

// A store and a token that let a test step in before and after each call that changes something.
#pragma once

#include <functional>
#include <string_view>
#include <utility>

#include "store/store.h"
#include "token/token.h"

namespace keyhold::kms::testing {

/// Asked around each hooked call, from any thread. An error from `before` is answered instead of
/// making the call, so that nothing has happened.
struct Hook {
  std::function<Result<void>(std::string_view call)> before;
  std::function<void(std::string_view call)> after;

  template <typename Call>
  auto around(std::string_view name, const Call& call) -> decltype(call()) {
    if (before) TRY(before(name));
    auto result = call();
    if (after) after(name);
    return result;
  }
};

/// Hooks every write.
class HookedStore final : public store::Store {
 public:
  HookedStore(store::Store& inner, Hook& hook) : inner_(inner), hook_(hook) {}

  Result<store::Contents> load() override { return inner_.load(); }
  Result<std::optional<std::string>> setting(std::string_view name) override {
    return inner_.setting(name);
  }
  Result<void> put_setting(std::string_view name, std::string_view value) override {
    return hook_.around("put_setting", [&] { return inner_.put_setting(name, value); });
  }
  Result<void> insert_key(const store::KeyRecord& key) override {
    return hook_.around("insert_key", [&] { return inner_.insert_key(key); });
  }
  Result<void> begin_key(const store::KeyRecord& key, const store::IntentRecord& intent) override {
    return hook_.around("begin_key", [&] { return inner_.begin_key(key, intent); });
  }
  Result<void> finish_key(const store::MaterialRecord& material) override {
    return hook_.around("finish_key", [&] { return inner_.finish_key(material); });
  }
  Result<void> abandon_key(std::string_view key_id) override {
    return hook_.around("abandon_key", [&] { return inner_.abandon_key(key_id); });
  }
  Result<void> begin_material(const store::IntentRecord& intent, std::uint64_t version) override {
    return hook_.around("begin_material", [&] { return inner_.begin_material(intent, version); });
  }
  Result<void> finish_import(const store::KeyRecord& key,
                             const store::MaterialRecord& material) override {
    return hook_.around("finish_import", [&] { return inner_.finish_import(key, material); });
  }
  Result<void> update_material(const store::KeyRecord& key,
                               const store::MaterialRecord& material) override {
    return hook_.around("update_material", [&] { return inner_.update_material(key, material); });
  }
  Result<void> forget_material(const store::KeyRecord& key, std::string_view material_id) override {
    return hook_.around("forget_material",
                        [&] { return inner_.forget_material(key, material_id); });
  }
  Result<void> put_wrapping_key(const store::WrappingKeyRecord& wrapping_key) override {
    return hook_.around("put_wrapping_key", [&] { return inner_.put_wrapping_key(wrapping_key); });
  }
  Result<void> erase_wrapping_key(const ObjectName& name) override {
    return hook_.around("erase_wrapping_key", [&] { return inner_.erase_wrapping_key(name); });
  }
  Result<void> begin_custody_key(const store::CustodyKeyRecord& key) override {
    return hook_.around("begin_custody_key", [&] { return inner_.begin_custody_key(key); });
  }
  Result<void> finish_custody_key(const ObjectName& name, const Bytes& check_value) override {
    return hook_.around("finish_custody_key",
                        [&] { return inner_.finish_custody_key(name, check_value); });
  }
  Result<void> rewrap_material(const ObjectName& material, const ObjectName& from,
                               const store::WrappedRecord& wrapped) override {
    return hook_.around("rewrap_material",
                        [&] { return inner_.rewrap_material(material, from, wrapped); });
  }
  Result<void> condemn_custody_key(const ObjectName& name) override {
    return hook_.around("condemn_custody_key", [&] { return inner_.condemn_custody_key(name); });
  }
  Result<void> erase_custody_key(const ObjectName& name) override {
    return hook_.around("erase_custody_key", [&] { return inner_.erase_custody_key(name); });
  }
  Result<void> finish_rotation(const store::KeyRecord& key,
                               const store::MaterialRecord& material) override {
    return hook_.around("finish_rotation", [&] { return inner_.finish_rotation(key, material); });
  }
  Result<void> replace_intent(const ObjectName& old_name, const ObjectName& new_name) override {
    return hook_.around("replace_intent",
                        [&] { return inner_.replace_intent(old_name, new_name); });
  }
  Result<void> withdraw_intent(const ObjectName& name) override {
    return hook_.around("withdraw_intent", [&] { return inner_.withdraw_intent(name); });
  }
  Result<void> mark_announced(const ObjectName& name) override {
    return hook_.around("mark_announced", [&] { return inner_.mark_announced(name); });
  }
  Result<void> update_key(const store::KeyRecord& key) override {
    return hook_.around("update_key", [&] { return inner_.update_key(key); });
  }
  Result<void> erase_key(std::string_view key_id) override {
    return hook_.around("erase_key", [&] { return inner_.erase_key(key_id); });
  }
  Result<void> insert_alias(const store::AliasRecord& alias) override {
    return hook_.around("insert_alias", [&] { return inner_.insert_alias(alias); });
  }
  Result<void> update_alias(const store::AliasRecord& alias) override {
    return hook_.around("update_alias", [&] { return inner_.update_alias(alias); });
  }
  Result<void> delete_alias(std::string_view account, std::string_view region,
                            std::string_view name) override {
    return hook_.around("delete_alias", [&] { return inner_.delete_alias(account, region, name); });
  }
  Result<void> insert_grant(const store::GrantRecord& grant) override {
    return hook_.around("insert_grant", [&] { return inner_.insert_grant(grant); });
  }
  Result<void> delete_grant(std::string_view grant_id) override {
    return hook_.around("delete_grant", [&] { return inner_.delete_grant(grant_id); });
  }
  Result<void> put_usages(std::span<const store::UsageRecord> usages) override {
    return hook_.around("put_usages", [&] { return inner_.put_usages(usages); });
  }
  Result<void> insert_credential(const store::CredentialRecord& credential) override {
    return hook_.around("insert_credential", [&] { return inner_.insert_credential(credential); });
  }
  Result<void> update_credential(const store::CredentialRecord& credential) override {
    return hook_.around("update_credential", [&] { return inner_.update_credential(credential); });
  }
  Result<std::uint64_t> reserve_invocations(const ObjectName& material,
                                            std::uint64_t count) override {
    return hook_.around("reserve_invocations",
                        [&] { return inner_.reserve_invocations(material, count); });
  }
  Result<void> check() override { return inner_.check(); }

 private:
  store::Store& inner_;
  Hook& hook_;
};

/// Hooks what makes, adopts and destroys objects, and check.
class HookedToken final : public token::Token {
 public:
  HookedToken(token::Token& inner, Hook& hook) : inner_(inner), hook_(hook) {}

  token::TokenIdentity identity() const override { return inner_.identity(); }
  Result<token::GeneratedMaterial> generate_material(const ObjectName& name, std::string_view label,
                                                     token::MaterialKind kind) override {
    return hook_.around("generate_material",
                        [&] { return inner_.generate_material(name, label, kind); });
  }
  Result<std::optional<token::GeneratedMaterial>> adopt_material(
      const ObjectName& name, token::MaterialKind kind) override {
    return hook_.around("adopt_material", [&] { return inner_.adopt_material(name, kind); });
  }
  Result<void> check_kind(token::MaterialKind kind) const override {
    return inner_.check_kind(kind);
  }
  Result<void> check_data_key_pair(KeySpec spec) const override {
    return inner_.check_data_key_pair(spec);
  }
  Result<void> check_algorithm(token::MaterialKind kind, Custody custody,
                               Algorithm algorithm) const override {
    return inner_.check_algorithm(kind, custody, algorithm);
  }
  Result<void> check_material(const token::Material& material) override {
    return inner_.check_material(material);
  }
  Result<void> destroy_material(const ObjectName& name) override {
    return hook_.around("destroy_material", [&] { return inner_.destroy_material(name); });
  }
  Result<token::ObjectEvidence> evidence(const ObjectName& name) override {
    return inner_.evidence(name);
  }
  Custody custody(token::MaterialKind kind) const override { return inner_.custody(kind); }
  Result<Bytes> generate_custody_key(const ObjectName& name) override {
    return hook_.around("generate_custody_key", [&] { return inner_.generate_custody_key(name); });
  }
  Result<void> check_custody_key(const token::CustodyKey& key) override {
    return inner_.check_custody_key(key);
  }
  Result<token::GeneratedMaterial> generate_wrapped_material(const token::CustodyKey& key,
                                                             const ObjectName& name,
                                                             token::MaterialKind kind,
                                                             ByteView subject) override {
    return hook_.around("generate_wrapped_material",
                        [&] { return inner_.generate_wrapped_material(key, name, kind, subject); });
  }
  Result<token::WrappedForm> rewrap_material(const token::Material& material,
                                             const token::CustodyKey& key) override {
    return hook_.around("rewrap_material", [&] { return inner_.rewrap_material(material, key); });
  }
  Result<token::WrappedEvidence> wrapped_evidence(const token::Material& material) override {
    return inner_.wrapped_evidence(material);
  }
  Result<std::vector<token::ListedObject>> list_objects() override { return inner_.list_objects(); }
  Result<void> check_import(token::MaterialKind kind, WrappingAlgorithm algorithm) const override {
    return inner_.check_import(kind, algorithm);
  }
  Result<Bytes> generate_wrapping_key(const token::WrappingKey& wrapping_key) override {
    return hook_.around("generate_wrapping_key",
                        [&] { return inner_.generate_wrapping_key(wrapping_key); });
  }
  Result<token::UnwrappedMaterialPtr> unwrap_material(const token::WrappingKey& wrapping_key,
                                                      token::MaterialKind kind,
                                                      ByteView wrapped) override {
    return hook_.around("unwrap_material",
                        [&] { return inner_.unwrap_material(wrapping_key, kind, wrapped); });
  }
  Result<void> keep_material(const token::UnwrappedMaterial& material, const ObjectName& name,
                             std::string_view label) override {
    return hook_.around("keep_material",
                        [&] { return inner_.keep_material(material, name, label); });
  }
  Result<token::MessageKeyPtr> encryption_key(const token::Material& material) override {
    return inner_.encryption_key(material);
  }
  Result<token::MessageKeyPtr> decryption_key(const token::Material& material, ByteView salt,
                                              ByteView header_tag) override {
    return inner_.decryption_key(material, salt, header_tag);
  }
  std::size_t iv_size() const override { return inner_.iv_size(); }
  Result<Bytes> encrypt(const token::MessageKey& key, std::span<std::uint8_t> iv, ByteView aad,
                        ByteView plaintext) override {
    return inner_.encrypt(key, iv, aad, plaintext);
  }
  Result<Secret> decrypt(const token::MessageKey& key, ByteView iv, ByteView aad,
                         ByteView ciphertext_and_tag) override {
    return inner_.decrypt(key, iv, aad, ciphertext_and_tag);
  }
  Result<Bytes> sign(const token::Material& material, Algorithm algorithm,
                     const Message& message) override {
    return inner_.sign(material, algorithm, message);
  }
  Result<void> verify(const token::Material& material, Algorithm algorithm, const Message& message,
                      ByteView signature) override {
    return inner_.verify(material, algorithm, message, signature);
  }
  Result<Bytes> encrypt_padded(const token::Material& material, Algorithm algorithm,
                               ByteView plaintext) override {
    return inner_.encrypt_padded(material, algorithm, plaintext);
  }
  Result<Secret> decrypt_padded(const token::Material& material, Algorithm algorithm,
                                ByteView ciphertext) override {
    return inner_.decrypt_padded(material, algorithm, ciphertext);
  }
  Result<Secret> agree(const token::Material& material, ByteView point) override {
    return inner_.agree(material, point);
  }
  Result<token::DataKeyPair> generate_data_key_pair(KeySpec spec) override {
    return hook_.around("generate_data_key_pair",
                        [&] { return inner_.generate_data_key_pair(spec); });
  }
  Result<Secret> random(std::size_t size) override { return inner_.random(size); }
  Result<void> check() override {
    return hook_.around("check", [&] { return inner_.check(); });
  }

 private:
  token::Token& inner_;
  Hook& hook_;
};

}  // namespace keyhold::kms::testing

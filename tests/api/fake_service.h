// A service of one key without token or store, for tests of what stands before and after it: the
// order of checks, and how answers are rendered.
#pragma once

#include <string>
#include <vector>

#include "base/key_spec.h"
#include "kms/arn.h"
#include "kms/native_operations.h"
#include "kms/service.h"

namespace keyhold::api::test {

inline constexpr std::string_view kKeyId = "1234abcd-12ab-34cd-56ef-1234567890ab";
inline constexpr std::string_view kOtherKeyId = "0987dcba-09fe-87dc-65ba-ab0987654321";
inline constexpr std::string_view kUnknownKeyId = "deadbeef-dead-4eef-8ead-deadbeefdead";

class FakeService : public kms::Service {
 public:
  FakeService() {
    record_.id = kKeyId;
    record_.account = "111122223333";
    record_.region = "eu-central-1";
    record_.created_at = TimePoint(milliseconds(1608639949636));
    material_.key_id = kKeyId;
    material_.material_id = std::string(64, 'a');
  }

  /// What find_key finds under kKeyId: as a test wants it.
  store::KeyRecord& record() { return record_; }
  kms::KeyPtr key() const { return make(record_); }
  kms::KeyPtr other_key() const {
    store::KeyRecord other = record_;
    other.id = kOtherKeyId;
    other.state = KeyState::kEnabled;
    return make(other);
  }
  /// A ciphertext whose header names the key.
  static Bytes ciphertext(std::string_view key_id = kKeyId) {
    const Bytes material_id(32, 0xaa);
    const Bytes salt(15, 1);
    const Bytes tag(16, 2);
    Bytes blob =
        kms::ciphertext_header(Construction::kEcbDerived, key_id, material_id, salt, tag, 12);
    blob.insert(blob.end(), 12 + 16 + 4, std::uint8_t{3});
    return blob;
  }

  /// What each call that does work answers, if set.
  std::optional<Error> failure;
  /// Thrown instead, if set: a bug.
  std::optional<std::string> bug;
  /// The calls that did work, by name.
  std::vector<std::string> calls;

  Result<kms::KeyPtr> find_key(const kms::Scope& scope, std::string_view identifier,
                               kms::KeyLookup) override {
    if (identifier == kKeyId || identifier == "alias/known") return key();
    if (identifier == kOtherKeyId) return other_key();
    if (identifier.starts_with("arn:")) return Error(ErrorCode::kAccessDenied);
    return Error(
        ErrorCode::kNotFound,
        "Key '" + kms::key_arn(scope.region, scope.account, identifier) + "' does not exist");
  }
  kms::KeyPtr find_key_by_id(const kms::Scope&, std::string_view key_id) override {
    return key_id == kKeyId ? key() : nullptr;
  }

  Result<kms::KeyPtr> create_key(const kms::Scope&, const kms::NewKey& wanted) override {
    TRY(work("create_key"));
    store::KeyRecord record = record_;
    record.description = wanted.description;
    return make(record);
  }
  Result<kms::Page<kms::KeyPtr>> list_keys(const kms::Scope&,
                                           const kms::PageRequest& page) override {
    TRY(work("list_keys " + std::to_string(page.limit)));
    return kms::Page<kms::KeyPtr>{{key()}, "next"};
  }
  Result<void> update_description(const kms::Key&, std::string_view) override {
    return work("update_description");
  }
  Result<void> enable_key(const kms::Key&) override { return work("enable_key"); }
  Result<void> disable_key(const kms::Key&) override { return work("disable_key"); }
  Result<TimePoint> schedule_deletion(const kms::Key&, int days) override {
    TRY(work("schedule_deletion " + std::to_string(days)));
    return record_.created_at + kDay * days;
  }
  Result<void> cancel_deletion(const kms::Key&) override { return work("cancel_deletion"); }
  kms::Access decide(const kms::AccessRequest& request) override {
    return authorizer_.decide(request);
  }
  kms::Access decide_retirement(const kms::AccessRequest& request) override {
    return authorizer_.decide_retirement(request);
  }
  kms::Access decide_lockout(const kms::AccessRequest& request,
                             const iam::PolicyDocument& policy) override {
    return authorizer_.decide_lockout(request, policy);
  }
  Result<kms::KeyPolicyPtr> read_policy(std::string_view text) const override {
    return kms::compile_policy(text);
  }
  Result<void> check_grant(const kms::NewGrant& wanted, const kms::Key& key) const override {
    return kms::check_grant(wanted, key);
  }
  Result<void> put_policy(const kms::Key&, std::string_view) override { return work("put_policy"); }
  Result<kms::CreatedGrant> create_grant(const kms::Key&, const kms::NewGrant&,
                                         std::string_view) override {
    TRY(work("create_grant"));
    return kms::CreatedGrant{grant_->grant_id, "token"};
  }
  Result<kms::GrantPtr> find_grant(const kms::Key&, std::string_view grant_id) override {
    if (grant_id == grant_->grant_id) return grant_;
    return Error(ErrorCode::kNotFound, "no such grant");
  }
  Result<void> delete_grant(const store::GrantRecord&) override { return work("delete_grant"); }
  Result<kms::Page<kms::GrantPtr>> list_grants(const kms::GrantFilter&,
                                               const kms::PageRequest& page) override {
    TRY(work("list_grants " + std::to_string(page.limit)));
    return kms::Page<kms::GrantPtr>{{grant_}, "next"};
  }
  Result<kms::Page<kms::GrantPtr>> list_retirable_grants(std::string_view, std::string_view,
                                                         const kms::PageRequest& page) override {
    TRY(work("list_retirable_grants " + std::to_string(page.limit)));
    return kms::Page<kms::GrantPtr>{};
  }
  Result<kms::GrantReference> read_grant_token(std::string_view) override {
    return kms::invalid_grant_token();
  }
  Result<void> check_grant_tokens(std::span<const std::string> tokens) override {
    if (!tokens.empty()) return kms::invalid_grant_token();
    return {};
  }
  void note_usage(const kms::Key& key, std::string_view operation, std::string_view event_id,
                  std::string_view request_id) override {
    usages.push_back(store::UsageRecord{
        key.id(), std::string(operation), {}, std::string(event_id), std::string(request_id)});
  }
  kms::KeyUsageHistory usage_of(const kms::Key&) override { return {}; }
  std::vector<store::UsageRecord> usages;

  Result<void> tag_key(const kms::Key&, std::span<const store::Tag>) override {
    return work("tag_key");
  }
  Result<void> untag_key(const kms::Key&, std::span<const std::string>) override {
    return work("untag_key");
  }
  Result<void> rotate_on_demand(const kms::Key&) override { return work("rotate_on_demand"); }
  Result<void> enable_rotation(const kms::Key&, int days) override {
    return work("enable_rotation " + std::to_string(days));
  }
  Result<void> disable_rotation(const kms::Key&) override { return work("disable_rotation"); }
  Result<kms::RotationStatus> rotation_status(const kms::Key& key) const override {
    return kms::rotation_status(key, kms::RotationRules::k2025);
  }
  Result<kms::ImportParameters> import_parameters(const kms::Key&, KeySpec,
                                                  WrappingAlgorithm) override {
    TRY(work("import_parameters"));
    return kms::ImportParameters{{1}, {2}, record_.created_at};
  }
  Result<std::string> import_material(const kms::Key&, const kms::ImportRequest&) override {
    TRY(work("import_material"));
    return material_.material_id;
  }
  Result<std::optional<std::string>> delete_imported_material(
      const kms::Key&, const std::optional<std::string>&) override {
    TRY(work("delete_imported_material"));
    return std::optional(material_.material_id);
  }
  Result<kms::Encrypted> encrypt(const kms::Key& target, ByteView,
                                 const kms::EncryptionContext&) override {
    TRY(work("encrypt"));
    return kms::Encrypted{ciphertext(target.id()), material_.material_id};
  }
  Result<kms::Decrypted> decrypt(const kms::Key&, const kms::CiphertextBlob&,
                                 const kms::EncryptionContext&) override {
    TRY(work("decrypt"));
    return kms::Decrypted{Secret("attack at dawn"), material_.material_id};
  }
  Result<void> check_algorithm(const kms::Key& key, Algorithm algorithm) const override {
    return kms::check_fits(key, algorithm);
  }
  std::vector<Algorithm> algorithms(const kms::Key& key) const override {
    return algorithms_of(key.record().spec, key.record().usage);
  }
  Result<Bytes> sign(const kms::Key&, Algorithm, const Message&) override {
    TRY(work("sign"));
    return Bytes{1, 2, 3};
  }
  Result<void> verify(const kms::Key&, Algorithm, const Message&, ByteView) override {
    return work("verify");
  }
  Result<void> verify_mac(const kms::Key&, Algorithm, ByteView, ByteView) override {
    return work("verify_mac");
  }
  Result<Secret> derive_shared_secret(const kms::Key&, ByteView) override {
    TRY(work("derive_shared_secret"));
    return Secret(32);
  }
  Result<Bytes> encrypt_padded(const kms::Key&, Algorithm, ByteView) override {
    TRY(work("encrypt_padded"));
    return Bytes(256, 1);
  }
  Result<Secret> decrypt_padded(const kms::Key&, Algorithm, ByteView) override {
    TRY(work("decrypt_padded"));
    return Secret("attack at dawn");
  }
  Result<void> check_data_key_pair(KeySpec) const override { return {}; }
  Result<kms::EncryptedDataKeyPair> generate_data_key_pair(const kms::Key& target, KeySpec,
                                                           const kms::EncryptionContext&) override {
    TRY(work("generate_data_key_pair"));
    return kms::EncryptedDataKeyPair{{Bytes{1}, Secret(1)},
                                     {ciphertext(target.id()), material_.material_id}};
  }
  Result<Secret> random(std::size_t size) override {
    TRY(work("random " + std::to_string(size)));
    return Secret(size);
  }
  Result<void> create_alias(const kms::Scope&, std::string_view, const kms::Key&) override {
    return work("create_alias");
  }
  Result<void> update_alias(const kms::Scope&, std::string_view, const kms::Key&) override {
    return work("update_alias");
  }
  Result<void> delete_alias(const kms::Scope&, std::string_view) override {
    return work("delete_alias");
  }
  Result<kms::Page<store::AliasRecord>> list_aliases(const kms::Scope&, const kms::Key*,
                                                     const kms::PageRequest& page) override {
    TRY(work("list_aliases " + std::to_string(page.limit)));
    return kms::Page<store::AliasRecord>{};
  }
  Result<kms::ReconcileReport> reconcile() override { return kms::ReconcileReport{}; }
  Result<void> rotate_wrapping_key() override { return {}; }
  Result<void> continue_rewrapping(milliseconds) override { return {}; }
  std::vector<kms::CustodyKeyStatus> wrapping_keys() override { return {}; }
  kms::KeyPtr inspect_key(std::string_view) override { return nullptr; }
  void run_due_work() override {}
  void stop() override {}

 private:
  Result<void> work(std::string call) {
    calls.push_back(std::move(call));
    if (bug) throw std::runtime_error(*bug);
    if (failure) return *failure;
    return {};
  }
  kms::KeyPtr make(const store::KeyRecord& record) const {
    return std::make_shared<const kms::Key>(
        record,
        std::vector<kms::KeyMaterialPtr>{
            std::make_shared<const kms::KeyMaterial>(material_, kms::kind_of(record))},
        std::nullopt);
  }

  static kms::GrantPtr make_grant() {
    auto grant = std::make_shared<store::GrantRecord>();
    grant->grant_id = std::string(64, 'a');
    grant->key_id = kKeyId;
    grant->grantee = "arn:aws:iam::111122223333:user/test";
    grant->issuing_account = "111122223333";
    grant->operations = {GrantOperation::kEncrypt, GrantOperation::kRetireGrant};
    return grant;
  }

  store::KeyRecord record_;
  store::MaterialRecord material_;
  kms::GrantDirectory grants_;
  kms::AliasDirectory aliases_;
  kms::Authorizer authorizer_{grants_, aliases_};
  kms::GrantPtr grant_ = make_grant();
};

}  // namespace keyhold::api::test

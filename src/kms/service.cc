#include "kms/service.h"

#include <algorithm>

#include "base/key_spec.h"
#include "base/wrapping_algorithm.h"
#include "kms/aliasing.h"
#include "kms/deadline_jobs.h"
#include "kms/destruction.h"
#include "kms/domain.h"
#include "kms/granting.h"
#include "kms/import.h"
#include "kms/inventory.h"
#include "kms/key_changes.h"
#include "kms/key_lookup.h"
#include "kms/key_state.h"
#include "kms/known_principals.h"
#include "kms/lifecycle.h"
#include "kms/loading.h"
#include "kms/material_making.h"
#include "kms/material_removal.h"
#include "kms/messages.h"
#include "kms/native_operations.h"
#include "kms/reconcile.h"
#include "kms/rewrapping.h"
#include "kms/tag.h"

namespace keyhold::kms {
namespace {

// Generation takes the token's one writer lock, so more threads than these would only wait there.
constexpr std::size_t kMaterialThreads = 2;
constexpr std::size_t kMaterialQueue = 256;
// Primes are sought on threads of their own, so that nobody else's key waits for them.
constexpr std::size_t kSlowThreads = 2;
constexpr std::size_t kSlowQueue = 64;

// When this store began to note uses of keys, in milliseconds since the epoch.
constexpr std::string_view kTrackingSetting = "usage-tracking-since";

class DomainService final : public Service, public Inventory {
 public:
  DomainService(store::Store& store, token::Token& token, const Clock& clock, Random& random,
                EventSink& events, ServiceOptions options)
      : domain_{store, token, clock, random, events, std::move(options)},
        messages_(token, store, random),
        native_(token),
        jobs_(kMaterialThreads, kMaterialQueue),
        slow_jobs_(kSlowThreads, kSlowQueue),
        lifecycle_(domain_),
        authorizer_(domain_.grants, domain_.aliases),
        known_principals_(domain_.options.known_principals) {
    if (const auto& service_key = domain_.options.service_key) {
      grant_tokens_.emplace(token, *service_key, clock, random);
      import_tokens_.emplace(token, *service_key, clock, random);
    }
  }

  ~DomainService() override { DomainService::stop(); }

  Result<void> load() {
    TRY_ASSIGN(const auto contents, domain_.store.load());
    TRY(load_rows(domain_, contents));
    TRY(begin_tracking());
    TRY(kms::reconcile(domain_, contents, ReconcileDepth::kPresence));
    lifecycle_.start();
    return {};
  }

  Result<KeyPtr> find_key(const Scope& scope, std::string_view identifier,
                          KeyLookup lookup) override {
    return kms::find_key(domain_, scope, identifier, lookup);
  }

  KeyPtr find_key_by_id(const Scope& scope, std::string_view key_id) override {
    auto key = domain_.keys.find(key_id);
    return key && key->record().region == scope.region ? key : nullptr;
  }

  Result<KeyPtr> create_key(const Scope& scope, const NewKey& wanted) override {
    TRY(domain_.token.check_kind({wanted.spec, wanted.usage}));
    store::KeyRecord record;
    record.id = draw_uuid(domain_.random);
    record.account = scope.account;
    record.region = scope.region;
    record.spec = wanted.spec;
    record.usage = wanted.usage;
    record.origin = wanted.origin;
    record.description = wanted.description;
    record.policy = wanted.policy;
    TRY_ASSIGN(record.tags, merge_tags({}, wanted.tags));
    record.created_at = domain_.clock.now();
    if (wanted.origin == KeyOrigin::kExternal) {
      TRY(check_importable({wanted.spec, wanted.usage}));
      return create_external_key(std::move(record));
    }

    // Shared with the job, which may outlive this call.
    auto born = std::make_shared<KeyPtr>();
    const auto answer =
        jobs_for(wanted.spec)
            .run(
                [this, record, born](const DeadlineJobs::Durably& durably) -> Result<void> {
                  TRY(domain_.token.check());
                  store::IntentRecord intent;
                  TRY(durably([&]() -> Result<void> {
                    TRY_ASSIGN(intent, begin_birth(domain_, record));
                    return {};
                  }));
                  TRY_ASSIGN(const auto generated, generate_birth(domain_, record, intent));
                  TRY_ASSIGN(*born, finish_birth(domain_, record, intent, generated));
                  return {};
                },
                domain_.options.material_deadline);
    if (!answer.result) return answer.result.error();
    return *born;
  }

  Result<Page<KeyPtr>> list_keys(const Scope& scope, const PageRequest& page) override {
    return domain_.keys.list(scope, page);
  }

  Result<void> update_description(const Key& key, std::string_view description) override {
    return kms::update_description(domain_, key, description);
  }
  Result<void> enable_key(const Key& key) override {
    TRY(kms::enable_key(domain_, key));
    lifecycle_.wake();  // a rotation date that passed meanwhile is made up for at once
    return {};
  }
  Result<void> disable_key(const Key& key) override { return kms::disable_key(domain_, key); }
  Result<TimePoint> schedule_deletion(const Key& key, int pending_window_days) override {
    return kms::schedule_deletion(domain_, key, pending_window_days);
  }
  Result<void> cancel_deletion(const Key& key) override {
    return kms::cancel_deletion(domain_, key);
  }

  Access decide(const AccessRequest& request) override { return authorizer_.decide(request); }

  Access decide_retirement(const AccessRequest& request) override {
    return authorizer_.decide_retirement(request);
  }

  Access decide_lockout(const AccessRequest& request, const iam::PolicyDocument& policy) override {
    return authorizer_.decide_lockout(request, policy);
  }

  Result<KeyPolicyPtr> read_policy(std::string_view text) const override {
    TRY_ASSIGN(auto policy, compile_policy(text));
    TRY(known_principals_.check(*policy));
    return policy;
  }

  Result<void> put_policy(const Key& key, std::string_view text) override {
    return kms::put_policy(domain_, key, text);
  }

  Result<void> check_grant(const NewGrant& wanted, const Key& key) const override {
    TRY(kms::check_grant(wanted, key));
    return known_principals_.check(wanted);
  }

  Result<CreatedGrant> create_grant(const Key& key, const NewGrant& wanted,
                                    std::string_view issuing_account) override {
    if (!grant_tokens_) {
      return Error(ErrorCode::kKmsInternal, {}, "there is no service key to seal grant tokens");
    }
    return kms::create_grant(domain_, *grant_tokens_, key, wanted, issuing_account);
  }

  Result<GrantPtr> find_grant(const Key& key, std::string_view grant_id) override {
    GrantPtr grant = domain_.grants.find(grant_id);
    if (grant == nullptr || grant->key_id != key.id()) return grant_not_found(grant_id);
    return grant;
  }

  Result<void> delete_grant(const store::GrantRecord& grant) override {
    return kms::delete_grant(domain_, grant);
  }

  Result<Page<GrantPtr>> list_grants(const GrantFilter& filter, const PageRequest& page) override {
    return domain_.grants.list(filter, page);
  }

  Result<Page<GrantPtr>> list_retirable_grants(std::string_view region,
                                               std::string_view retiring_principal,
                                               const PageRequest& page) override {
    return domain_.grants.list_retirable(
        retiring_principal,
        [&](const store::GrantRecord& grant) {
          const auto key = domain_.keys.find(grant.key_id);
          return key && key->record().region == region;
        },
        page);
  }

  Result<GrantReference> read_grant_token(std::string_view token) override {
    if (!grant_tokens_) return invalid_grant_token();
    TRY_ASSIGN(const auto reference, grant_tokens_->read(token));
    if (reference->expires_at <= domain_.clock.now()) return invalid_grant_token();
    return *reference;
  }

  Result<void> check_grant_tokens(std::span<const std::string> tokens) override {
    for (const std::string& token : tokens) {
      if (!grant_tokens_) return invalid_grant_token();
      TRY(grant_tokens_->read(token));
    }
    return {};
  }

  void note_usage(const Key& key, std::string_view operation, std::string_view event_id,
                  std::string_view request_id) override {
    domain_.usages.note({key.id(), std::string(operation), domain_.clock.now(),
                         std::string(event_id), std::string(request_id)});
  }

  KeyUsageHistory usage_of(const Key& key) override {
    KeyUsageHistory history{.last = domain_.usages.last(key.id()),
                            .tracked_since = std::max(tracked_since_, key.record().created_at)};
    const TimePoint since = history.last ? history.last->used_at : history.tracked_since;
    history.days_unused = (domain_.clock.now() - since) / kDay;
    return history;
  }

  Result<void> tag_key(const Key& key, std::span<const store::Tag> tags) override {
    return kms::tag_key(domain_, key, tags);
  }
  Result<void> untag_key(const Key& key, std::span<const std::string> tag_keys) override {
    return kms::untag_key(domain_, key, tag_keys);
  }

  Result<void> rotate_on_demand(const Key& key) override {
    const auto answer = jobs_.run(
        [this, key = std::make_shared<const Key>(key)](
            const DeadlineJobs::Durably& durably) -> Result<void> {
          // What can be refused is refused before the token is asked for anything.
          {
            TRY_ASSIGN(const auto newest, refresh(domain_, *key));
            TRY(check_state(StateRule::kRotatedOnDemand, *newest));
            TRY(check_on_demand_rotation(*newest, domain_.options.rotation_rules,
                                         domain_.clock.now()));
          }
          TRY(domain_.token.check());
          const RotationClaim claim(domain_, key->id());
          if (!claim.claimed()) {
            return Error(ErrorCode::kConflict, "A rotation of " + key->arn() + " is in progress.");
          }
          if (key->record().origin == KeyOrigin::kExternal) {
            TRY(durably([&] { return rotate_to_imported(domain_, *key); }));
            announce_rotations(domain_, *key);
            return {};
          }
          store::IntentRecord intent;
          TRY(durably([&]() -> Result<void> {
            TRY_ASSIGN(intent, begin_rotation(domain_, *key, store::IntentKind::kRotateOnDemand));
            return {};
          }));
          TRY_ASSIGN(const auto generated, generate_rotation(domain_, *key, intent));
          TRY(finish_rotation(domain_, key->id(), intent, generated));
          announce_rotations(domain_, *key);
          return {};
        },
        domain_.options.material_deadline);
    // A rotation that goes on by itself is what AWS's asynchronous answer promises.
    if (answer.outcome == DeadlineJobs::Outcome::kGoesOn) return {};
    return answer.result;
  }

  Result<void> enable_rotation(const Key& key, int period_days) override {
    return kms::enable_rotation(domain_, key, period_days);
  }
  Result<void> disable_rotation(const Key& key) override {
    return kms::disable_rotation(domain_, key);
  }

  Result<RotationStatus> rotation_status(const Key& key) const override {
    return kms::rotation_status(key, domain_.options.rotation_rules);
  }

  Result<ImportParameters> import_parameters(const Key& key, KeySpec wrapping_key,
                                             WrappingAlgorithm algorithm) override {
    TRY(check_import_tokens());
    if (const auto refusal = wrapping_refusal(key.record().spec, algorithm, wrapping_key)) {
      return Error(ErrorCode::kUnsupportedOperation,
                   "WrappingAlgorithm " + std::string(to_string(algorithm)) +
                       " is not valid for this operation: " + std::string(*refusal) + ".");
    }
    TRY(domain_.token.check_import(key.kind(), algorithm));
    auto parameters = std::make_shared<ImportParameters>();
    const auto answer = slow_jobs_.run(
        [this, parameters, wrapping_key, algorithm,
         wanted = std::make_shared<const Key>(key)](const DeadlineJobs::Durably&) -> Result<void> {
          TRY_ASSIGN(auto made, provide_wrapping_key(domain_, *wanted, wrapping_key, algorithm));
          TRY_ASSIGN(parameters->import_token, import_tokens_->issue(*wanted, made));
          parameters->public_key = std::move(made.public_key);
          parameters->valid_to = made.expires_at;
          return {};
        },
        domain_.options.material_deadline);
    if (!answer.result) return answer.result.error();
    return std::move(*parameters);
  }

  Result<std::string> import_material(const Key& key, const ImportRequest& request) override {
    TRY(check_import_tokens());
    TRY(check_import_request(key, request, domain_.options.rotation_rules, domain_.clock.now()));
    return kms::import_material(domain_, *import_tokens_, key, request);
  }

  Result<std::optional<std::string>> delete_imported_material(
      const Key& key, const std::optional<std::string>& material_id) override {
    return delete_material(domain_, key, material_id);
  }

  Result<Encrypted> encrypt(const Key& key, ByteView plaintext,
                            const EncryptionContext& context) override {
    return messages_.encrypt(key, plaintext, context);
  }

  Result<Decrypted> decrypt(const Key& key, const CiphertextBlob& blob,
                            const EncryptionContext& context) override {
    return messages_.decrypt(key, blob, context);
  }

  Result<Secret> random(std::size_t size) override { return domain_.token.random(size); }

  Result<void> check_algorithm(const Key& key, Algorithm algorithm) const override {
    TRY(check_fits(key, algorithm));
    return domain_.token.check_algorithm(key.kind(), key.custody(), algorithm);
  }
  std::vector<Algorithm> algorithms(const Key& key) const override {
    return usable_algorithms(domain_.token, key);
  }
  Result<Bytes> sign(const Key& key, Algorithm algorithm, const Message& message) override {
    return native_.sign(key, algorithm, message);
  }
  Result<void> verify(const Key& key, Algorithm algorithm, const Message& message,
                      ByteView signature) override {
    return native_.verify(key, algorithm, message, signature);
  }
  Result<void> verify_mac(const Key& key, Algorithm algorithm, ByteView message,
                          ByteView mac) override {
    return native_.verify_mac(key, algorithm, message, mac);
  }
  Result<Secret> derive_shared_secret(const Key& key, ByteView peer) override {
    return native_.derive_shared_secret(key, peer);
  }
  Result<Bytes> encrypt_padded(const Key& key, Algorithm algorithm, ByteView plaintext) override {
    return native_.encrypt(key, algorithm, plaintext);
  }
  Result<Secret> decrypt_padded(const Key& key, Algorithm algorithm, ByteView ciphertext) override {
    return native_.decrypt(key, algorithm, ciphertext);
  }

  Result<void> check_data_key_pair(KeySpec spec) const override {
    return domain_.token.check_data_key_pair(spec);
  }
  Result<EncryptedDataKeyPair> generate_data_key_pair(const Key& key, KeySpec spec,
                                                      const EncryptionContext& context) override {
    auto made = std::make_shared<token::DataKeyPair>();
    const auto answer = jobs_for(spec).run(
        [this, spec, made](const DeadlineJobs::Durably&) -> Result<void> {
          TRY_ASSIGN(*made, domain_.token.generate_data_key_pair(spec));
          return {};
        },
        domain_.options.material_deadline);
    if (!answer.result) return answer.result.error();
    TRY_ASSIGN(Encrypted encrypted, messages_.encrypt(key, made->private_key.view(), context));
    return EncryptedDataKeyPair{std::move(*made), std::move(encrypted)};
  }

  Result<void> create_alias(const Scope& scope, std::string_view name, const Key& target) override {
    return kms::create_alias(domain_, scope, name, target);
  }
  Result<void> update_alias(const Scope& scope, std::string_view name, const Key& target) override {
    return kms::update_alias(domain_, scope, name, target);
  }
  Result<void> delete_alias(const Scope& scope, std::string_view name) override {
    return kms::delete_alias(domain_, scope, name);
  }
  Result<Page<store::AliasRecord>> list_aliases(const Scope& scope, const Key* key,
                                                const PageRequest& page) override {
    return domain_.aliases.list(scope, key == nullptr ? std::string_view() : key->id(), page);
  }

  Result<ReconcileReport> reconcile() override {
    TRY_ASSIGN(const auto contents, domain_.store.load());
    // Births under way belong to the threads that are at them: only those that were there at the
    // start of the process can have been interrupted, and load() has settled these.
    store::Contents settled = contents;
    settled.unborn_keys.clear();
    return kms::reconcile(domain_, settled, ReconcileDepth::kCheckValues);
  }

  Result<void> rotate_wrapping_key() override {
    TRY(begin_rewrapping(domain_));
    lifecycle_.wake();
    return {};
  }
  Result<void> continue_rewrapping(milliseconds allowance) override {
    TRY(kms::continue_rewrapping(domain_, allowance));
    return {};
  }
  std::vector<CustodyKeyStatus> wrapping_keys() override { return custody_key_statuses(domain_); }

  KeyPtr inspect_key(std::string_view key_id) override { return domain_.keys.find(key_id); }

  std::vector<KeyPtr> all_keys() const override { return domain_.keys.all(); }
  std::uint64_t invocations(const KeyMaterial& material) const override {
    return messages_.invocations(material.record.object_name);
  }

  void run_due_work() override { lifecycle_.run_now(); }

  void stop() override {
    jobs_.stop();
    slow_jobs_.stop();
    lifecycle_.stop();
    save_usages(domain_);
  }

 private:
  Result<void> begin_tracking() {
    TRY_ASSIGN(const auto known, domain_.store.setting(kTrackingSetting));
    if (known) {
      tracked_since_ = TimePoint(milliseconds(std::strtoll(known->c_str(), nullptr, 10)));
      return {};
    }
    tracked_since_ = domain_.clock.now();
    return domain_.store.put_setting(kTrackingSetting,
                                     std::to_string(tracked_since_.time_since_epoch().count()));
  }

  /// A key whose material could come in no way is not made.
  Result<void> check_importable(token::MaterialKind kind) const {
    Result<void> last;
    for (const auto algorithm :
         {WrappingAlgorithm::kRsaesOaepSha1, WrappingAlgorithm::kRsaesOaepSha256,
          WrappingAlgorithm::kRsaAesKeyWrapSha1, WrappingAlgorithm::kRsaAesKeyWrapSha256}) {
      last = domain_.token.check_import(kind, algorithm);
      if (last) break;
    }
    return last;
  }

  /// Born at once, since nothing is made for it in the token.
  Result<KeyPtr> create_external_key(store::KeyRecord record) {
    record.state = KeyState::kPendingImport;
    TRY(domain_.store.insert_key(record));
    auto born =
        std::make_shared<const Key>(std::move(record), std::vector<KeyMaterialPtr>{}, std::nullopt);
    domain_.keys.put(born);
    return KeyPtr(born);
  }

  Result<void> check_import_tokens() const {
    if (import_tokens_) return {};
    return Error(ErrorCode::kKmsInternal, {}, "there is no service key to seal import tokens");
  }

  DeadlineJobs& jobs_for(KeySpec spec) {
    return row_of(row_of(spec).form).generation == Generation::kSlow ? slow_jobs_ : jobs_;
  }

  Domain domain_;
  Messages messages_;
  NativeOperations native_;
  DeadlineJobs jobs_;
  DeadlineJobs slow_jobs_;
  Lifecycle lifecycle_;
  const Authorizer authorizer_;
  const KnownPrincipals known_principals_;
  std::optional<GrantTokens> grant_tokens_;
  std::optional<ImportTokens> import_tokens_;
  TimePoint tracked_since_{};
};

}  // namespace

Result<std::unique_ptr<Service>> Service::start(store::Store& store, token::Token& token,
                                                const Clock& clock, Random& random,
                                                EventSink& events, ServiceOptions options) {
  auto service =
      std::make_unique<DomainService>(store, token, clock, random, events, std::move(options));
  TRY(service->load());
  return std::unique_ptr<Service>(std::move(service));
}

const Inventory& inventory_of(const Service& service) {
  return static_cast<const DomainService&>(service);
}

}  // namespace keyhold::kms

#include "kms/service.h"

#include <algorithm>
#include <unordered_map>

#include "base/key_spec.h"
#include "base/log.h"
#include "base/wrapping_algorithm.h"
#include "kms/arn.h"
#include "kms/deadline_jobs.h"
#include "kms/destruction.h"
#include "kms/domain.h"
#include "kms/granting.h"
#include "kms/import.h"
#include "kms/inventory.h"
#include "kms/key_state.h"
#include "kms/known_principals.h"
#include "kms/lifecycle.h"
#include "kms/material_making.h"
#include "kms/material_removal.h"
#include "kms/messages.h"
#include "kms/native_operations.h"
#include "kms/paging.h"
#include "kms/reconcile.h"
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

constexpr int kMinPendingWindowDays = 7;
constexpr int kMaxPendingWindowDays = 30;

Error alias_not_found(const Scope& scope, std::string_view name) {
  return Error(ErrorCode::kNotFound,
               "Alias " + alias_arn(scope.region, scope.account, name) + " is not found.");
}

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
    std::unordered_map<std::string_view, std::vector<const store::MaterialRecord*>> materials;
    for (const auto& row : contents.materials) materials[row.key_id].push_back(&row);
    std::unordered_map<std::string_view, KeyPolicyPtr> default_policies;  // by account
    std::unordered_map<std::string_view, store::IntentRecord> intents;
    for (const auto& intent : contents.intents) intents.emplace(intent.key_id, intent);

    for (const auto& row : contents.keys) {
      std::vector<KeyMaterialPtr> of_key;
      for (const auto* material : materials[row.id]) {
        of_key.push_back(std::make_shared<const KeyMaterial>(*material, kind_of(row)));
      }
      if (of_key.empty() && row.origin != KeyOrigin::kExternal) {
        return Error(ErrorCode::kKmsInternal, {}, "key " + row.id + " has no key material row");
      }
      const auto intent = intents.find(row.id);
      KeyPolicyPtr policy;
      if (row.policy.empty()) {
        KeyPolicyPtr& shared = default_policies[row.account];
        if (!shared) shared = compile_policy(row);
        policy = shared;
      }
      auto key = std::make_shared<const Key>(
          row, std::move(of_key),
          intent == intents.end() ? std::nullopt : std::optional(intent->second),
          std::move(policy));
      if (row.destroying) {
        domain_.condemned.push_back(std::move(key));
      } else {
        domain_.keys.put(key);
      }
    }
    for (const auto& alias : contents.aliases) {
      if (domain_.keys.find(alias.target_key_id)) domain_.aliases.put(alias);
    }
    std::vector<GrantPtr> grants;
    for (const auto& grant : contents.grants) {
      if (domain_.keys.find(grant.key_id)) {
        grants.push_back(std::make_shared<const store::GrantRecord>(grant));
      }
    }
    domain_.grants.load(grants);
    for (const auto& wrapping_key : contents.wrapping_keys) domain_.wrapping_keys.put(wrapping_key);
    domain_.usages.load(contents.usages);
    TRY(begin_tracking());
    TRY(kms::reconcile(domain_, contents, ReconcileDepth::kPresence));
    lifecycle_.start();
    return {};
  }

  Result<KeyPtr> find_key(const Scope& scope, std::string_view identifier,
                          KeyLookup lookup) override {
    std::string_view name = identifier;
    bool in_arn = false;
    if (identifier.starts_with("arn:")) {
      const auto arn = parse_arn(identifier);
      // A partition that is not the region's names nothing that could be here.
      if (!arn || arn->partition != partition_of(arn->region)) {
        return Error(ErrorCode::kInvalidArn, "Invalid arn " + std::string(identifier));
      }
      name = arn->resource;
      in_arn = true;
      if (name.starts_with("alias/") && lookup == KeyLookup::kIdOrArn) return aliases_refused();
      if (arn->region != scope.region) {
        return Error(ErrorCode::kNotFound, "Invalid arn " + std::string(arn->region));
      }
      if (arn->account != scope.account) return find_foreign_key(*arn);
    }
    if (in_arn && name.starts_with("key/")) {
      name.remove_prefix(4);
    } else if (name.starts_with("alias/")) {
      if (lookup == KeyLookup::kIdOrArn) return aliases_refused();
      const auto alias = domain_.aliases.find(scope, name);
      if (!alias) return alias_not_found(scope, name);
      auto key = domain_.keys.find(alias->target_key_id);
      if (!key) return alias_not_found(scope, name);  // its target went away this instant
      return key;
    }
    if (!is_key_id(name)) {
      return Error(ErrorCode::kNotFound, in_arn ? "Invalid keyId " + std::string(name)
                                                : "Invalid keyId '" + std::string(name) + "'");
    }
    if (auto key = domain_.keys.find(name); key && is_in(scope, *key)) return key;
    return Error(ErrorCode::kNotFound,
                 "Key '" + key_arn(scope.region, scope.account, name) + "' does not exist");
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
    return change(key, StateRule::kNotPendingDeletion,
                  [&](store::KeyRecord& record) { record.description = description; });
  }

  Result<void> enable_key(const Key& key) override {
    TRY(change(key, StateRule::kHasMaterial,
               [](store::KeyRecord& record) { record.state = KeyState::kEnabled; }));
    lifecycle_.wake();  // a rotation date that passed meanwhile is made up for at once
    return {};
  }

  Result<void> disable_key(const Key& key) override {
    return change(key, StateRule::kHasMaterial,
                  [](store::KeyRecord& record) { record.state = KeyState::kDisabled; });
  }

  Result<TimePoint> schedule_deletion(const Key& key, int pending_window_days) override {
    if (pending_window_days < kMinPendingWindowDays ||
        pending_window_days > kMaxPendingWindowDays) {
      return Error(ErrorCode::kValidation, "PendingWindowInDays must be between 7 and 30");
    }
    const TimePoint at = domain_.clock.now() + kDay * pending_window_days;
    TRY(change(key, StateRule::kNotPendingDeletion, [&](store::KeyRecord& record) {
      record.state = KeyState::kPendingDeletion;
      record.deletion_at = at;
    }));
    return at;
  }

  Result<void> cancel_deletion(const Key& key) override {
    return change_from(key, StateRule::kPendingDeletion,
                       [](const Key& newest, store::KeyRecord& record) -> Result<void> {
                         record.state = newest.has_all_material() ? KeyState::kDisabled
                                                                  : KeyState::kPendingImport;
                         record.deletion_at.reset();
                         return {};
                       });
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
    return change(key, StateRule::kAnyState,
                  [&](store::KeyRecord& record) { record.policy = text; });
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
    return change(key, StateRule::kNotPendingDeletion,
                  [&](store::KeyRecord& record) -> Result<void> {
                    TRY_ASSIGN(record.tags, merge_tags(std::move(record.tags), tags));
                    return {};
                  });
  }

  Result<void> untag_key(const Key& key, std::span<const std::string> tag_keys) override {
    return change(key, StateRule::kNotPendingDeletion,
                  [&](store::KeyRecord& record) -> Result<void> {
                    TRY_ASSIGN(record.tags, remove_tags(std::move(record.tags), tag_keys));
                    return {};
                  });
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
    TRY(check_rotates(key));
    TRY(check_origin(KeyOrigin::kAwsKms, key));
    return change(key, StateRule::kRotated, [&](store::KeyRecord& record) {
      record.rotation_enabled = true;
      record.rotation_period_days = period_days;
      record.next_rotation_at = domain_.clock.now() + kDay * period_days;
    });
  }

  Result<void> disable_rotation(const Key& key) override {
    TRY(check_origin(KeyOrigin::kAwsKms, key));
    return change(key, StateRule::kRotated, [](store::KeyRecord& record) {
      record.rotation_enabled = false;
      record.rotation_period_days = 0;
      record.next_rotation_at.reset();
    });
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
    const std::lock_guard changes(domain_.alias_changes);
    const auto lock = domain_.locks.lock(target.id());
    TRY_ASSIGN(const auto newest, refresh(domain_, target));
    TRY(check_state(StateRule::kNotPendingDeletion, *newest));
    TRY(check_alias_limit(scope, target));
    store::AliasRecord alias;
    alias.account = scope.account;
    alias.region = scope.region;
    alias.name = name;
    alias.target_key_id = target.id();
    alias.created_at = alias.updated_at = domain_.clock.now();
    if (const auto inserted = domain_.store.insert_alias(alias); !inserted) {
      if (inserted.error().code() != ErrorCode::kAlreadyExists) return inserted.error();
      return Error(ErrorCode::kAlreadyExists, "An alias with the name " +
                                                  alias_arn(scope.region, scope.account, name) +
                                                  " already exists");
    }
    domain_.aliases.put(alias);
    return {};
  }

  Result<void> update_alias(const Scope& scope, std::string_view name, const Key& target) override {
    const std::lock_guard changes(domain_.alias_changes);
    const auto lock = domain_.locks.lock(target.id());
    auto alias = domain_.aliases.find(scope, name);
    if (!alias) return alias_not_found(scope, name);
    TRY_ASSIGN(const auto newest, refresh(domain_, target));
    TRY(check_state(StateRule::kNotPendingDeletion, *newest));
    if (alias->target_key_id != target.id()) TRY(check_alias_limit(scope, target));
    alias->target_key_id = target.id();
    alias->updated_at = domain_.clock.now();
    TRY(domain_.store.update_alias(*alias));
    domain_.aliases.put(*alias);
    return {};
  }

  Result<void> delete_alias(const Scope& scope, std::string_view name) override {
    const std::lock_guard changes(domain_.alias_changes);
    if (!domain_.aliases.find(scope, name)) return alias_not_found(scope, name);
    TRY(domain_.store.delete_alias(scope.account, scope.region, name));
    domain_.aliases.erase(scope, name);
    return {};
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
  static bool is_in(const Scope& scope, const Key& key) {
    return key.record().account == scope.account && key.record().region == scope.region;
  }

  /// A key of another account, by its own ARN or that of an alias. What is not there cannot be told
  /// from what may not be used.
  Result<KeyPtr> find_foreign_key(const Arn& arn) {
    const Scope scope{std::string(arn.account), std::string(arn.region)};
    std::string key_id;
    if (arn.resource.starts_with("alias/")) {
      if (const auto alias = domain_.aliases.find(scope, arn.resource)) {
        key_id = alias->target_key_id;
      }
    } else if (arn.resource.starts_with("key/")) {
      key_id = arn.resource.substr(4);
    }
    auto key = domain_.keys.find(key_id);
    if (key && is_in(scope, *key)) return key;
    return Error(ErrorCode::kAccessDenied);
  }

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

  static Error aliases_refused() {
    return Error(ErrorCode::kInvalidArn, "Key Aliases are not supported for this operation.");
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

  /// The one way a key's row is changed: under its lock, from its newest state, if the rule allows,
  /// and unless `apply` answers an error.
  template <typename Change>
  Result<void> change(const Key& key, StateRule rule, const Change& apply) {
    return change_from(key, rule, [&](const Key&, store::KeyRecord& record) -> Result<void> {
      if constexpr (std::is_void_v<std::invoke_result_t<Change, store::KeyRecord&>>) {
        apply(record);
        return {};
      } else {
        return apply(record);
      }
    });
  }

  /// The same for what looks at the key's materials too.
  template <typename Change>
  Result<void> change_from(const Key& key, StateRule rule, const Change& apply) {
    const auto lock = domain_.locks.lock(key.id());
    TRY_ASSIGN(const auto newest, refresh(domain_, key));
    TRY(check_state(rule, *newest));
    store::KeyRecord record = newest->record();
    TRY(apply(*newest, record));
    return write_key(domain_, *newest, std::move(record));
  }

  Result<void> check_alias_limit(const Scope& scope, const Key& target) {
    if (domain_.aliases.count(scope, target.id()) >= domain_.options.alias_limit) {
      return Error(ErrorCode::kLimitExceeded, "The key " + target.arn() + " has " +
                                                  std::to_string(domain_.options.alias_limit) +
                                                  " aliases, as many as a key may have.");
    }
    return {};
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

Result<Page<KeyMaterialPtr>> list_rotations(const Key& key, RotationListing listing,
                                            const PageRequest& request) {
  constexpr std::string_view kListName = "rotations";
  TRY(check_rotates(key));
  TRY_ASSIGN(const std::string after, read_marker(kListName, request.marker));
  auto at = key.materials().begin();
  if (!after.empty()) {
    at = std::ranges::find(key.materials(), after,
                           [](const auto& material) { return material->record.material_id; });
    if (at == key.materials().end()) {
      return Error(ErrorCode::kInvalidMarker, "The marker is not valid for this list.");
    }
    ++at;
  }
  Page<KeyMaterialPtr> page;
  for (; at != key.materials().end(); ++at) {
    if (listing == RotationListing::kRotationsOnly && !(*at)->record.rotated_at) continue;
    if (page.elements.size() == request.limit) {
      page.next_marker = make_marker(kListName, page.elements.back()->record.material_id);
      break;
    }
    page.elements.push_back(*at);
  }
  return page;
}

const Inventory& inventory_of(const Service& service) {
  return static_cast<const DomainService&>(service);
}

}  // namespace keyhold::kms

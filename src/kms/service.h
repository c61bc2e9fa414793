// The domain: what KMS does, over a token and a store, without HTTP, JSON or SQL.
//
// Reading is done on immutable snapshots in memory; Encrypt, Decrypt and GenerateDataKey touch no
// store and no lock that all cores share. Every change is durable in the store before the call
// returns and visible to the next call. Calls that change a key check its state again under the
// key's own lock, so that two of them cannot both win.
//
// Errors carry AWS's codes and texts. kKmsInternal stands for a store or token that failed;
// kKeyUnavailable for a token that is away.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "base/secret.h"
#include "kms/ciphertext_blob.h"
#include "kms/encryption_context.h"
#include "kms/key.h"
#include "kms/page.h"
#include "kms/rotation.h"
#include "store/store.h"
#include "token/token.h"

namespace keyhold::kms {

/// Where a call takes place: the account of its caller and the region it was addressed to.
struct Scope {
  std::string account;
  std::string region;
};

/// Which identifiers an operation takes as its key (developer guide, "Key identifiers").
enum class KeyLookup : std::uint8_t { kIdOrArn, kIdArnOrAlias };

/// A rotation that has happened, for the audit trail.
struct RotationEvent {
  std::string account;
  std::string region;
  std::string key_id;
  std::string key_arn;
  RotationType type = RotationType::kAutomatic;
  KeyOrigin origin = KeyOrigin::kAwsKms;
  std::string previous_material_id;
  std::string current_material_id;
  TimePoint rotated_at;
};

/// A deletion that has happened.
struct DeletionEvent {
  std::string account;
  std::string region;
  std::string key_id;
  std::string key_arn;
  TimePoint deleted_at;
};

/// Who wants to know. Called at least once for each event, from any thread; an error means "tell me
/// again later".
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual Result<void> key_rotated(const RotationEvent& event) = 0;
  virtual Result<void> key_deleted(const DeletionEvent& event) = 0;
};

struct ServiceOptions {
  RotationRules rotation_rules = RotationRules::k2024;
  /// How long CreateKey and RotateKeyOnDemand wait for the token before they answer without it.
  milliseconds material_deadline = std::chrono::seconds(20);
  /// How often due rotations and deletions are looked for, on the wall clock.
  milliseconds lifecycle_interval = std::chrono::seconds(1);
  /// Aliases a key may have (developer guide, "Resource quotas").
  std::size_t alias_limit = 50;
  /// Token objects that are the deployment's own and belong to no KMS key: its service key.
  std::vector<ObjectName> own_objects;
};

struct NewKey {
  std::string description;
  std::vector<store::Tag> tags{};
  KeySpec spec = KeySpec::kSymmetricDefault;
  KeyUsage usage = KeyUsage::kEncryptDecrypt;
  KeyOrigin origin = KeyOrigin::kAwsKms;
};

struct Decrypted {
  Secret plaintext;
  std::string material_id;
};

struct Encrypted {
  Bytes blob;
  std::string material_id;
};

/// What reconcile found and did.
struct ReconcileReport {
  std::vector<std::string> finished;   ///< intents taken to their end
  std::vector<std::string> withdrawn;  ///< intents given up, with the object names they had
  std::vector<std::string> strangers;  ///< token objects that no row names; left alone
  std::vector<std::string> alarms;     ///< rows whose object is missing or is another key
};

class Service {
 public:
  /// Loads everything, finishes what a crash left (see reconcile) and starts the lifecycle worker.
  /// All arguments but options outlive the service.
  static Result<std::unique_ptr<Service>> start(store::Store& store, token::Token& token,
                                                const Clock& clock, Random& random,
                                                EventSink& events, ServiceOptions options);
  virtual ~Service() = default;

  // Finding keys. Errors as AWS has them for each form of identifier: kNotFound, kInvalidArn.
  // A foreign account's ARN is kAccessDenied with an empty message: the caller words it.
  virtual Result<KeyPtr> find_key(const Scope& scope, std::string_view identifier,
                                  KeyLookup lookup) = 0;
  /// The key of a ciphertext, by id; null if the scope has none.
  virtual KeyPtr find_key_by_id(const Scope& scope, std::string_view key_id) = 0;

  // Keys.
  virtual Result<KeyPtr> create_key(const Scope& scope, const NewKey& wanted) = 0;
  virtual Result<Page<KeyPtr>> list_keys(const Scope& scope, const PageRequest& page) = 0;
  virtual Result<void> update_description(const Key& key, std::string_view description) = 0;
  virtual Result<void> enable_key(const Key& key) = 0;
  virtual Result<void> disable_key(const Key& key) = 0;
  /// Answers the deletion date. kValidation unless 7 <= days <= 30.
  virtual Result<TimePoint> schedule_deletion(const Key& key, int pending_window_days) = 0;
  virtual Result<void> cancel_deletion(const Key& key) = 0;

  // Tags. kTag with AWS's texts.
  virtual Result<void> tag_key(const Key& key, std::span<const store::Tag> tags) = 0;
  virtual Result<void> untag_key(const Key& key, std::span<const std::string> tag_keys) = 0;

  // Rotation.
  virtual Result<void> rotate_on_demand(const Key& key) = 0;
  virtual Result<void> enable_rotation(const Key& key, int period_days) = 0;
  virtual Result<void> disable_rotation(const Key& key) = 0;

  // Cryptography. The caller has checked state and usage.
  virtual Result<Encrypted> encrypt(const Key& key, ByteView plaintext,
                                    const EncryptionContext& context) = 0;
  /// kInvalidCiphertext (no message) for whatever is wrong with the blob or the context.
  virtual Result<Decrypted> decrypt(const Key& key, const CiphertextBlob& blob,
                                    const EncryptionContext& context) = 0;
  virtual Result<Secret> random(std::size_t size) = 0;

  // Aliases. Names carry their prefix and have been validated. Errors with AWS's texts.
  virtual Result<void> create_alias(const Scope& scope, std::string_view name,
                                    const Key& target) = 0;
  virtual Result<void> update_alias(const Scope& scope, std::string_view name,
                                    const Key& target) = 0;
  virtual Result<void> delete_alias(const Scope& scope, std::string_view name) = 0;
  /// `key`: only that key's aliases, if given.
  virtual Result<Page<store::AliasRecord>> list_aliases(const Scope& scope, const Key* key,
                                                        const PageRequest& page) = 0;

  // For operators.
  virtual Result<ReconcileReport> reconcile() = 0;
  /// A key of any account and region, by id; null if there is none.
  virtual KeyPtr inspect_key(std::string_view key_id) = 0;
  /// Runs what is due at once instead of at the next interval, and waits for it.
  virtual void run_due_work() = 0;
  /// Stops the workers; what runs is finished.
  virtual void stop() = 0;
};

/// Entries of ListKeyRotations: completed rotations, oldest first; `all_material` adds the first
/// material.
enum class RotationListing : std::uint8_t { kRotationsOnly, kAllKeyMaterial };
Result<Page<KeyMaterialPtr>> list_rotations(const Key& key, RotationListing listing,
                                            const PageRequest& page);

}  // namespace keyhold::kms

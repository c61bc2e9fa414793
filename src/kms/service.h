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
#include "iam/identity_directory.h"
#include "kms/authorizer.h"
#include "kms/ciphertext_blob.h"
#include "kms/encryption_context.h"
#include "kms/grant_directory.h"
#include "kms/grant_token.h"
#include "kms/import_request.h"
#include "kms/key.h"
#include "kms/key_policy.h"
#include "kms/page.h"
#include "kms/rotation.h"
#include "kms/scope.h"
#include "store/store.h"
#include "token/token.h"

namespace keyhold::kms {

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

/// An imported key material that was destroyed because its time was over.
struct MaterialExpiryEvent {
  std::string account;
  std::string region;
  std::string key_id;
  std::string key_arn;
  std::string material_id;
  TimePoint expired_at;
};

/// A rotation of the wrapping key of wrapped custody that has come to its end: every material is
/// wrapped under the new one, and the old one is destroyed.
struct WrappingKeyRotationEvent {
  std::string previous_wrapping_key;  ///< 64 hex characters: CKA_ID
  std::string current_wrapping_key;
  TimePoint rotated_at;
};

/// A custody key and how many materials are wrapped under it.
struct CustodyKeyStatus {
  store::CustodyKeyRecord record;
  std::size_t materials = 0;
};

/// Who wants to know. Called at least once for each event, from any thread; an error means "tell me
/// again later".
class EventSink {
 public:
  virtual ~EventSink() = default;
  virtual Result<void> key_rotated(const RotationEvent& event) = 0;
  virtual Result<void> key_deleted(const DeletionEvent& event) = 0;
  virtual Result<void> material_expired(const MaterialExpiryEvent& event) = 0;
  virtual Result<void> wrapping_key_rotated(const WrappingKeyRotationEvent& event) = 0;
};

struct ServiceOptions {
  RotationRules rotation_rules = RotationRules::k2024;
  /// How long CreateKey and RotateKeyOnDemand wait for the token before they answer without it.
  milliseconds material_deadline = std::chrono::seconds(20);
  /// How often due rotations and deletions are looked for, on the wall clock.
  milliseconds lifecycle_interval = std::chrono::seconds(1);
  /// Aliases a key may have (developer guide, "Resource quotas").
  std::size_t alias_limit = 50;
  std::size_t grant_limit = kGrantLimit;
  /// Wrapping keys there may be at once, each for a day, since every one has its place in the
  /// token.
  std::size_t wrapping_key_limit = 1000;
  /// The deployment's own key, under which grant tokens and import tokens are sealed; without one
  /// no grant can be made and no key material imported.
  std::optional<token::Material> service_key = {};
  /// Who policies and grants may name, outlives the service; null: anybody.
  const iam::IdentityDirectory* known_principals = nullptr;
  /// Token objects that are the deployment's own and belong to no KMS key: its service key.
  std::vector<ObjectName> own_objects;
};

struct NewKey {
  std::string description;
  std::string policy{};  ///< compiles; empty: the default one
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

/// A pair for use outside, its private key in PKCS#8 in clear and encrypted under a KMS key.
struct EncryptedDataKeyPair {
  token::DataKeyPair pair;
  Encrypted private_key;
};

/// What GetParametersForImport gives.
struct ImportParameters {
  Bytes import_token;
  Bytes public_key;  ///< SubjectPublicKeyInfo in DER
  TimePoint valid_to;
};

struct CreatedGrant {
  std::string grant_id;
  std::string grant_token;
};

/// What is known of a key's cryptographic use.
struct KeyUsageHistory {
  std::optional<store::UsageRecord> last;
  TimePoint tracked_since;
  std::int64_t days_unused = 0;  ///< whole days since the last use, or since tracking began
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
  // A key of another account is found by its ARN, whoever may use it; one that does not exist there
  // is kAccessDenied with an empty message: the caller words it.
  virtual Result<KeyPtr> find_key(const Scope& scope, std::string_view identifier,
                                  KeyLookup lookup) = 0;
  /// The key of a ciphertext or a grant, by id, of whatever account; null if the scope's region has
  /// none.
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

  // Who may do what. See Authorizer.
  virtual Access decide(const AccessRequest& request) = 0;
  virtual Access decide_retirement(const AccessRequest& request) = 0;
  virtual Access decide_lockout(const AccessRequest& request,
                                const iam::PolicyDocument& policy) = 0;

  // Key policies.
  /// kMalformedPolicyDocument or kLimitExceeded for a text that cannot be put.
  virtual Result<KeyPolicyPtr> read_policy(std::string_view text) const = 0;
  /// `text` has been read with read_policy.
  virtual Result<void> put_policy(const Key& key, std::string_view text) = 0;

  // Grants.
  /// check_grant, and kInvalidArn for a principal that is not there.
  virtual Result<void> check_grant(const NewGrant& wanted, const Key& key) const = 0;
  /// `wanted` has been checked.
  virtual Result<CreatedGrant> create_grant(const Key& key, const NewGrant& wanted,
                                            std::string_view issuing_account) = 0;
  /// kNotFound if the key has no grant of that id.
  virtual Result<GrantPtr> find_grant(const Key& key, std::string_view grant_id) = 0;
  virtual Result<void> delete_grant(const store::GrantRecord& grant) = 0;
  virtual Result<Page<GrantPtr>> list_grants(const GrantFilter& filter,
                                             const PageRequest& page) = 0;
  /// Of keys of the region, whatever account they are of.
  virtual Result<Page<GrantPtr>> list_retirable_grants(std::string_view region,
                                                       std::string_view retiring_principal,
                                                       const PageRequest& page) = 0;
  /// Which grant a grant token means: kInvalidGrantToken if it was not issued here or has expired.
  virtual Result<GrantReference> read_grant_token(std::string_view token) = 0;
  /// Whether grant tokens that come with a call were issued here. Expired ones are: by then the
  /// grant counts without them.
  virtual Result<void> check_grant_tokens(std::span<const std::string> tokens) = 0;

  // Uses of keys.
  /// Notes a successful cryptographic operation; written down a little later.
  virtual void note_usage(const Key& key, std::string_view operation, std::string_view event_id,
                          std::string_view request_id) = 0;
  virtual KeyUsageHistory usage_of(const Key& key) = 0;

  // Rotation.
  virtual Result<void> rotate_on_demand(const Key& key) = 0;
  virtual Result<void> enable_rotation(const Key& key, int period_days) = 0;
  virtual Result<void> disable_rotation(const Key& key) = 0;
  virtual Result<RotationStatus> rotation_status(const Key& key) const = 0;

  // Key material from outside, of keys whose origin is EXTERNAL.
  /// kUnsupportedOperation for a way that the key's material or the token does not allow.
  virtual Result<ImportParameters> import_parameters(const Key& key, KeySpec wrapping_key,
                                                     WrappingAlgorithm algorithm) = 0;
  /// Answers the material's id. See kms/import.h.
  virtual Result<std::string> import_material(const Key& key, const ImportRequest& request) = 0;
  /// Answers the material's id; nothing where there was none to delete.
  virtual Result<std::optional<std::string>> delete_imported_material(
      const Key& key, const std::optional<std::string>& material_id) = 0;

  // Cryptography. The caller has checked state and usage.
  virtual Result<Encrypted> encrypt(const Key& key, ByteView plaintext,
                                    const EncryptionContext& context) = 0;
  /// kInvalidCiphertext (no message) for whatever is wrong with the blob or the context.
  virtual Result<Decrypted> decrypt(const Key& key, const CiphertextBlob& blob,
                                    const EncryptionContext& context) = 0;
  virtual Result<Secret> random(std::size_t size) = 0;

  // Cryptography of keys that work by themselves. The caller has checked state, usage, algorithm
  // and the message's type and length.
  /// kInvalidKeyUsage with AWS's text for an algorithm of another spec, kUnsupportedOperation for
  /// one that the token lacks.
  virtual Result<void> check_algorithm(const Key& key, Algorithm algorithm) const = 0;
  /// The algorithms of the key that its token does, in the order in which AWS lists them.
  virtual std::vector<Algorithm> algorithms(const Key& key) const = 0;
  /// A signature, or a MAC.
  virtual Result<Bytes> sign(const Key& key, Algorithm algorithm, const Message& message) = 0;
  /// kKmsInvalidSignature (no message) for whatever is wrong with the signature.
  virtual Result<void> verify(const Key& key, Algorithm algorithm, const Message& message,
                              ByteView signature) = 0;
  /// kKmsInvalidMac (no message), in constant time.
  virtual Result<void> verify_mac(const Key& key, Algorithm algorithm, ByteView message,
                                  ByteView mac) = 0;
  /// `peer`: SubjectPublicKeyInfo in DER; kValidation (no message) unless it is a point of the
  /// key's curve.
  virtual Result<Secret> derive_shared_secret(const Key& key, ByteView peer) = 0;
  virtual Result<Bytes> encrypt_padded(const Key& key, Algorithm algorithm, ByteView plaintext) = 0;
  /// kInvalidCiphertext (no message) for what does not decrypt.
  virtual Result<Secret> decrypt_padded(const Key& key, Algorithm algorithm,
                                        ByteView ciphertext) = 0;
  /// kUnsupportedOperation for pairs that cannot be made here.
  virtual Result<void> check_data_key_pair(KeySpec spec) const = 0;
  /// A new pair of that spec, encrypted under the key.
  virtual Result<EncryptedDataKeyPair> generate_data_key_pair(const Key& key, KeySpec spec,
                                                              const EncryptionContext& context) = 0;

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
  /// Makes a new wrapping key for wrapped custody, and has every material wrapped under it, which
  /// goes on after this returns. kValidation or kConflict with a sentence. See kms/rewrapping.h.
  virtual Result<void> rotate_wrapping_key() = 0;
  /// Takes part in that for so long; success also where nothing is to be done.
  virtual Result<void> continue_rewrapping(milliseconds allowance) = 0;
  /// The current one first.
  virtual std::vector<CustodyKeyStatus> wrapping_keys() = 0;
  /// A key of any account and region, by id; null if there is none.
  virtual KeyPtr inspect_key(std::string_view key_id) = 0;
  /// Runs what is due at once instead of at the next interval, and waits for it.
  virtual void run_due_work() = 0;
  /// Stops the workers; what runs is finished.
  virtual void stop() = 0;
};

}  // namespace keyhold::kms

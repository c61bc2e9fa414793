// Durable metadata: what exists, in what state, under which object names. No key bytes, no secret
// in clear. Each write is one transaction that has reached the disk when the call returns; a failed
// one has changed nothing. Implementations are safe to call from many threads.
//
// Errors: kKmsInternal for a store that cannot be read or written (its own words are in the
// detail); kConflict where a row was changed by somebody else since it was read
// (KeyRecord::version), is gone, or is there already, unless a call says otherwise.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/result.h"
#include "base/vocabulary.h"

namespace keyhold::store {

/// A tag of a KMS key.
struct Tag {
  std::string key;
  std::string value;

  bool operator==(const Tag&) const = default;
};

/// A KMS key.
struct KeyRecord {
  std::string id;  ///< UUID
  std::string account;
  std::string region;
  KeySpec spec = KeySpec::kSymmetricDefault;
  KeyUsage usage = KeyUsage::kEncryptDecrypt;
  KeyOrigin origin = KeyOrigin::kAwsKms;
  KeyState state = KeyState::kEnabled;
  std::string description;
  std::string policy;     ///< as it was put; empty: the default key policy
  std::vector<Tag> tags;  ///< by key, each key once
  TimePoint created_at;
  std::optional<TimePoint> deletion_at;  ///< set in kPendingDeletion
  /// The waiting period is over and destruction has begun: to callers the key is gone, and what
  /// remains of it is rows that name the objects still to be destroyed.
  bool destroying = false;
  bool rotation_enabled = false;
  int rotation_period_days = 0;               ///< meaningful while rotation_enabled
  std::optional<TimePoint> next_rotation_at;  ///< set while rotation_enabled
  int on_demand_rotations = 0;                ///< completed ones
  std::uint64_t version = 0;                  ///< raised by each write of this row

  bool operator==(const KeyRecord&) const = default;
};

/// Whether a key material is in its token. Generated ones always are, until their key is deleted.
enum class MaterialPresence : std::uint8_t {
  kPresent,
  kDeleting,  ///< its object is to be destroyed, because somebody asked for it
  kExpiring,  ///< its object is to be destroyed, because its time is over
  kAbsent,    ///< destroyed; the same material may be imported again
};

/// What a key material is to its key.
enum class MaterialStanding : std::uint8_t {
  kPermanent,        ///< it is or was the current one
  kPendingRotation,  ///< imported, and current only after a rotation on demand
};

/// A material of wrapped custody, as its token gave it.
struct WrappedRecord {
  ObjectName custody_key;
  Bytes blob;
  Bytes seal;

  bool operator==(const WrappedRecord&) const = default;
};

/// A key material that was proven in its token. Of the permanent ones, the one with the highest
/// sequence is the current one.
struct MaterialRecord {
  ObjectName object_name;  ///< of an imported material: of its last import
  std::string key_id;
  std::string material_id;  ///< 64 hex characters, KeyMaterialId on the wire
  int sequence = 0;         ///< 0 for the first, then one more each
  Custody custody = Custody::kResident;
  Construction construction = Construction::kEcbDerived;
  Bytes check_value;
  Bytes public_key;  ///< SubjectPublicKeyInfo of a pair, in DER; else empty
  TimePoint created_at;
  std::optional<RotationType> rotation_type;  ///< absent on the first material
  std::optional<TimePoint> rotated_at;        ///< when it became current; absent on the first
  /// Whether the RotateKey event of the rotation that made it current has reached the audit trail.
  bool announced = true;
  MaterialPresence presence = MaterialPresence::kPresent;
  MaterialStanding standing = MaterialStanding::kPermanent;
  /// When an imported material is to be destroyed; absent where it does not expire.
  std::optional<TimePoint> valid_to{};
  std::string description{};               ///< of an imported material; empty: none
  std::optional<WrappedRecord> wrapped{};  ///< of wrapped custody

  bool operator==(const MaterialRecord&) const = default;
};

enum class IntentKind : std::uint8_t {
  kCreateKey,
  kRotateOnDemand,
  kRotateAutomatic,
  kImportKeyMaterial,
};

/// A key material about to be made: written before its object can exist, gone when the object is
/// proven and counted (or given up). What a crash leaves of it, reconcile finishes; of an import it
/// destroys what there is.
struct IntentRecord {
  ObjectName object_name;
  IntentKind kind = IntentKind::kCreateKey;
  std::string key_id;
  TimePoint started_at;  ///< OnDemandRotationStartDate of an on-demand rotation

  bool operator==(const IntentRecord&) const = default;
};

/// A key pair of the token under whose public half key material comes to a KMS key. Written before
/// its objects can exist, and erased after they are destroyed.
struct WrappingKeyRecord {
  ObjectName object_name;
  std::string key_id;
  WrappingAlgorithm algorithm = WrappingAlgorithm::kRsaesOaepSha1;
  KeySpec spec = KeySpec::kRsa2048;
  TimePoint expires_at;
  Bytes public_key{};  ///< SubjectPublicKeyInfo in DER; empty until the pair is made

  bool operator==(const WrappingKeyRecord&) const = default;
};

enum class CustodyKeyState : std::uint8_t {
  kIntended,    ///< about to be made; of one that a crash left there is nothing to keep
  kCurrent,     ///< new materials are wrapped under it; there is at most one
  kRetiring,    ///< materials that are still wrapped under it are to be wrapped anew
  kDestroying,  ///< no material is, or ever can be again; its objects are to be destroyed
};

/// What materials of wrapped custody are wrapped and sealed under. Written before its objects can
/// exist, and erased after they are destroyed.
struct CustodyKeyRecord {
  ObjectName object_name;
  CustodyKeyState state = CustodyKeyState::kIntended;
  Bytes check_value{};  ///< empty until it is made
  TimePoint created_at;

  bool operator==(const CustodyKeyRecord&) const = default;
};

struct AliasRecord {
  std::string account;
  std::string region;
  std::string name;  ///< with the prefix `alias/`
  std::string target_key_id;
  TimePoint created_at;
  TimePoint updated_at;

  bool operator==(const AliasRecord&) const = default;
};

/// How the encryption context of a call is held against that of a grant.
enum class ContextConstraint : std::uint8_t { kNone, kEquals, kSubset };

/// A grant: lets a principal use a key. It is never changed.
struct GrantRecord {
  std::string grant_id;  ///< 64 hex characters
  std::string key_id;
  std::string name;                ///< empty: none
  std::string grantee;             ///< ARN of a principal
  std::string retiring_principal;  ///< empty: none
  std::string issuing_account;
  std::vector<GrantOperation> operations;
  ContextConstraint context_constraint = ContextConstraint::kNone;
  std::vector<std::pair<std::string, std::string>> context;  ///< by name, each name once
  std::string source_arn;                                    ///< empty: none
  TimePoint created_at;

  bool operator==(const GrantRecord&) const = default;
};

/// The last successful cryptographic use of a key.
struct UsageRecord {
  std::string key_id;
  std::string operation;
  TimePoint used_at;
  std::string event_id;  ///< of the audit trail
  std::string request_id;

  bool operator==(const UsageRecord&) const = default;
};

enum class CredentialStatus : std::uint8_t { kActive, kDisabled };

/// An access key. The secret is sealed under a token-resident key before it comes here.
struct CredentialRecord {
  std::string access_key_id;
  std::string account;
  std::string principal;  ///< `user/admin`
  Bytes sealed_secret;
  CredentialStatus status = CredentialStatus::kActive;
  std::uint64_t generation = 0;
  TimePoint created_at;

  bool operator==(const CredentialRecord&) const = default;
};

/// Everything there is, as of one instant.
struct Contents {
  std::vector<KeyRecord> keys{};            ///< born keys only
  std::vector<KeyRecord> unborn_keys{};     ///< keys whose creation was begun and not finished
  std::vector<MaterialRecord> materials{};  ///< by key, then by sequence
  std::vector<IntentRecord> intents{};
  std::vector<WrappingKeyRecord> wrapping_keys{};  ///< by object name
  std::vector<CustodyKeyRecord> custody_keys{};    ///< by object name
  std::vector<AliasRecord> aliases{};
  std::vector<CredentialRecord> credentials{};
  std::vector<GrantRecord> grants{};  ///< by grant id
  std::vector<UsageRecord> usages{};  ///< by key
};

class Store {
 public:
  virtual ~Store() = default;

  virtual Result<Contents> load() = 0;

  // Settings of the deployment (its token's serial, its service key): small texts by name.
  virtual Result<std::optional<std::string>> setting(std::string_view name) = 0;
  virtual Result<void> put_setting(std::string_view name, std::string_view value) = 0;

  /// A key that is born without material, because it is to be imported. Does not raise its version.
  virtual Result<void> insert_key(const KeyRecord& key) = 0;

  // Birth. Between the two calls the key exists for nobody. Neither raises its version.
  virtual Result<void> begin_key(const KeyRecord& key, const IntentRecord& intent) = 0;
  /// The key is born with its first material; the intent of that object name is gone.
  virtual Result<void> finish_key(const MaterialRecord& material) = 0;
  /// The key was never born; its row and its intent are gone.
  virtual Result<void> abandon_key(std::string_view key_id) = 0;

  // Rotation and import.
  /// kConflict if the key's version is no longer `key_version`, or an intent of that key exists.
  virtual Result<void> begin_material(const IntentRecord& intent, std::uint64_t key_version) = 0;
  /// The material becomes current, the key's row is written (see update_key), the intent is gone:
  /// all or nothing.
  virtual Result<void> finish_rotation(const KeyRecord& key, const MaterialRecord& material) = 0;
  /// The material is there, as a new row or in the place of the one of its id, the key's row is
  /// written, the intent of the material's object name is gone: all or nothing.
  virtual Result<void> finish_import(const KeyRecord& key, const MaterialRecord& material) = 0;
  /// Writes the key's row (see update_key) and that of one of its materials, found by its id.
  virtual Result<void> update_material(const KeyRecord& key, const MaterialRecord& material) = 0;
  /// Writes the key's row; its material of that id is gone.
  virtual Result<void> forget_material(const KeyRecord& key, std::string_view material_id) = 0;
  /// A further attempt of the same creation or rotation, under a new object name.
  virtual Result<void> replace_intent(const ObjectName& old_name, const ObjectName& new_name) = 0;
  virtual Result<void> withdraw_intent(const ObjectName& object_name) = 0;
  /// The RotateKey event of this material has reached the audit trail.
  virtual Result<void> mark_announced(const ObjectName& object_name) = 0;

  /// Writes the whole row if its stored version is still `key.version`, and raises it by one;
  /// else kConflict.
  virtual Result<void> update_key(const KeyRecord& key) = 0;

  // Wrapping keys.
  /// Inserts the row, or writes the one of its object name.
  virtual Result<void> put_wrapping_key(const WrappingKeyRecord& wrapping_key) = 0;
  /// Success also if there is none of that name.
  virtual Result<void> erase_wrapping_key(const ObjectName& object_name) = 0;

  // Custody keys. A material's row is written only while the custody key that it names is current
  // or retiring: kConflict otherwise.
  /// kConflict while another one is intended.
  virtual Result<void> begin_custody_key(const CustodyKeyRecord& key) = 0;
  /// The intended one is current, and the one that was is retiring: both or neither.
  virtual Result<void> finish_custody_key(const ObjectName& object_name,
                                          const Bytes& check_value) = 0;
  /// The material is wrapped under the custody key that `wrapped` names; kConflict unless it was
  /// under `from`.
  virtual Result<void> rewrap_material(const ObjectName& material, const ObjectName& from,
                                       const WrappedRecord& wrapped) = 0;
  /// A retiring one is to be destroyed; kConflict while a material's row names it.
  virtual Result<void> condemn_custody_key(const ObjectName& object_name) = 0;
  /// Of one that is intended or to be destroyed, kConflict for another; success also if there is
  /// none of that name.
  virtual Result<void> erase_custody_key(const ObjectName& object_name) = 0;

  /// The key, its materials, intents, wrapping keys, aliases, tags and grants are gone. Called when
  /// its last token object is.
  virtual Result<void> erase_key(std::string_view key_id) = 0;

  // Aliases.
  /// kAlreadyExists (without a message) if the account has an alias of that name in that region.
  virtual Result<void> insert_alias(const AliasRecord& alias) = 0;
  /// kNotFound (without a message) if there is none of that name.
  virtual Result<void> update_alias(const AliasRecord& alias) = 0;
  virtual Result<void> delete_alias(std::string_view account, std::string_view region,
                                    std::string_view name) = 0;

  // Grants.
  virtual Result<void> insert_grant(const GrantRecord& grant) = 0;
  /// kNotFound (without a message) if there is none of that id.
  virtual Result<void> delete_grant(std::string_view grant_id) = 0;

  /// Notes uses of keys, unless a later one is known. Those of keys that are gone are left out.
  virtual Result<void> put_usages(std::span<const UsageRecord> usages) = 0;

  // Access keys.
  /// kAlreadyExists (without a message) if there is one of that id.
  virtual Result<void> insert_credential(const CredentialRecord& credential) = 0;
  /// kNotFound (without a message) if there is none of that id.
  virtual Result<void> update_credential(const CredentialRecord& credential) = 0;

  /// Counts towards GCM's limit on random IVs under one key, for materials that encrypt messages
  /// directly: reserves `count` further invocations of the material and answers how many were
  /// reserved before, ever. Reserved ones that a crash left unused stay counted.
  virtual Result<std::uint64_t> reserve_invocations(const ObjectName& material,
                                                    std::uint64_t count) = 0;

  /// Reads something, to see whether the store answers.
  virtual Result<void> check() = 0;
};

}  // namespace keyhold::store

// KeyMetadata: what CreateKey and DescribeKey tell of a KMS key.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "api/context.h"
#include "api/members.h"
#include "kms/service.h"

namespace keyhold::api {

/// Absent unless there is one of the kind.
using AlgorithmList = std::optional<std::vector<std::string>>;

/// A key's algorithms: those of its usage, and no empty list of another kind.
struct KeyAlgorithms {
  AlgorithmList encryption;
  AlgorithmList signing;
  AlgorithmList mac;
  AlgorithmList key_agreement;
};
KeyAlgorithms key_algorithms(const kms::Service& service, const kms::Key& key);

/// Whether an imported material is in the token.
bool is_imported(const kms::KeyMaterial& material);
/// Nothing for a material that is not there, or was not imported.
std::optional<std::string> expiration_model(const kms::KeyMaterial& material);

struct KeyMetadata {
  std::string account;
  std::string arn;
  TimePoint creation_date;
  std::optional<std::string> current_key_material_id;  ///< of symmetric encryption keys
  std::string customer_master_key_spec;
  std::optional<TimePoint> deletion_date;
  std::string description;
  bool enabled = false;
  AlgorithmList encryption_algorithms;
  std::optional<std::string> expiration_model;  ///< of imported material that is there
  AlgorithmList key_agreement_algorithms;
  std::string key_id;
  std::string key_manager;
  std::string key_spec;
  std::string key_state;
  std::string key_usage;
  AlgorithmList mac_algorithms;
  bool multi_region = false;
  std::string origin;
  AlgorithmList signing_algorithms;
  std::optional<TimePoint> valid_to;

  static constexpr auto shape() {
    return members(
        optional("AWSAccountId", &KeyMetadata::account), optional("Arn", &KeyMetadata::arn, kArn),
        optional("CreationDate", &KeyMetadata::creation_date),
        optional("CurrentKeyMaterialId", &KeyMetadata::current_key_material_id, kMaterialId),
        optional("CustomerMasterKeySpec", &KeyMetadata::customer_master_key_spec,
                 kCustomerMasterKeySpec),
        optional("DeletionDate", &KeyMetadata::deletion_date),
        optional("Description", &KeyMetadata::description, kDescription),
        optional("Enabled", &KeyMetadata::enabled),
        optional("EncryptionAlgorithms", &KeyMetadata::encryption_algorithms,
                 kEncryptionAlgorithms),
        optional("ExpirationModel", &KeyMetadata::expiration_model, kExpirationModel),
        optional("KeyAgreementAlgorithms", &KeyMetadata::key_agreement_algorithms,
                 kKeyAgreementAlgorithms),
        required("KeyId", &KeyMetadata::key_id, kKeyId),
        optional("KeyManager", &KeyMetadata::key_manager, kKeyManager),
        optional("KeySpec", &KeyMetadata::key_spec, kKeySpec),
        optional("KeyState", &KeyMetadata::key_state, kKeyState),
        optional("KeyUsage", &KeyMetadata::key_usage, kKeyUsage),
        optional("MacAlgorithms", &KeyMetadata::mac_algorithms, kMacAlgorithms),
        optional("MultiRegion", &KeyMetadata::multi_region),
        optional("Origin", &KeyMetadata::origin, kOrigin),
        optional("SigningAlgorithms", &KeyMetadata::signing_algorithms, kSigningAlgorithms),
        optional("ValidTo", &KeyMetadata::valid_to));
  }
};

/// What is not held and used in the token alone is said in the audit events of whoever makes or
/// asks for a key.
void note_custody(Context& context, const kms::Key& key);

KeyMetadata key_metadata(const kms::Service& service, const kms::Key& key);

}  // namespace keyhold::api

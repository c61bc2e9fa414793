// KeyMetadata: what CreateKey and DescribeKey tell of a KMS key.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "api/members.h"
#include "kms/key.h"

namespace keyhold::api {

struct KeyMetadata {
  std::string account;
  std::string arn;
  TimePoint creation_date;
  std::string current_key_material_id;
  std::string customer_master_key_spec;
  std::optional<TimePoint> deletion_date;
  std::string description;
  bool enabled = false;
  std::vector<std::string> encryption_algorithms;
  std::string key_id;
  std::string key_manager;
  std::string key_spec;
  std::string key_state;
  std::string key_usage;
  bool multi_region = false;
  std::string origin;

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
        required("KeyId", &KeyMetadata::key_id, kKeyId),
        optional("KeyManager", &KeyMetadata::key_manager, kKeyManager),
        optional("KeySpec", &KeyMetadata::key_spec, kKeySpec),
        optional("KeyState", &KeyMetadata::key_state, kKeyState),
        optional("KeyUsage", &KeyMetadata::key_usage, kKeyUsage),
        optional("MultiRegion", &KeyMetadata::multi_region),
        optional("Origin", &KeyMetadata::origin, kOrigin));
  }
};

KeyMetadata key_metadata(const kms::Key& key);

}  // namespace keyhold::api

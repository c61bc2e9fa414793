#include "api/key_metadata.h"

namespace keyhold::api {

KeyMetadata key_metadata(const kms::Key& key) {
  const store::KeyRecord& record = key.record();
  return {.account = record.account,
          .arn = key.arn(),
          .creation_date = record.created_at,
          .current_key_material_id = key.current_material().record.material_id,
          .customer_master_key_spec = std::string(to_string(record.spec)),
          .deletion_date = record.deletion_at,
          .description = record.description,
          .enabled = record.state == KeyState::kEnabled,
          .encryption_algorithms = {std::string(kSymmetricDefault)},
          .key_id = key.id(),
          .key_manager = "CUSTOMER",
          .key_spec = std::string(to_string(record.spec)),
          .key_state = std::string(to_string(record.state)),
          .key_usage = std::string(to_string(record.usage)),
          .multi_region = false,
          .origin = std::string(to_string(record.origin))};
}

}  // namespace keyhold::api

#include "api/key_metadata.h"

namespace keyhold::api {

KeyAlgorithms key_algorithms(const kms::Service& service, const kms::Key& key) {
  std::vector<std::string> words;
  for (const Algorithm algorithm : service.algorithms(key)) {
    words.emplace_back(to_string(algorithm));
  }
  KeyAlgorithms algorithms;
  switch (key.record().usage) {
    case KeyUsage::kEncryptDecrypt:
      algorithms.encryption = std::move(words);
      break;
    case KeyUsage::kSignVerify:
      algorithms.signing = std::move(words);
      break;
    case KeyUsage::kGenerateVerifyMac:
      algorithms.mac = std::move(words);
      break;
    case KeyUsage::kKeyAgreement:
      algorithms.key_agreement = std::move(words);
      break;
  }
  return algorithms;
}

bool is_imported(const kms::KeyMaterial& material) {
  return material.record.presence == store::MaterialPresence::kPresent;
}

std::optional<std::string> expiration_model(const kms::KeyMaterial& material) {
  if (!is_imported(material)) return std::nullopt;
  return material.record.valid_to ? "KEY_MATERIAL_EXPIRES" : "KEY_MATERIAL_DOES_NOT_EXPIRE";
}

void note_custody(Context& context, const kms::Key& key) {
  const auto* material = key.find_current_material();
  if (material != nullptr && material->record.custody != Custody::kResident) {
    context.note_custody(to_string(material->record.custody));
  }
}

KeyMetadata key_metadata(const kms::Service& service, const kms::Key& key) {
  const store::KeyRecord& record = key.record();
  KeyAlgorithms algorithms = key_algorithms(service, key);
  // The API model's KeyMetadata: present for symmetric encryption keys.
  std::optional<std::string> material_id;
  const auto* material = key.find_current_material();
  if (record.spec == KeySpec::kSymmetricDefault && material != nullptr) {
    material_id = material->record.material_id;
  }
  std::optional<std::string> model;
  if (record.origin == KeyOrigin::kExternal && material != nullptr &&
      record.state != KeyState::kPendingImport) {
    model = expiration_model(*material);
  }
  const auto valid_to = model ? material->record.valid_to : std::nullopt;
  return {.account = record.account,
          .arn = key.arn(),
          .creation_date = record.created_at,
          .current_key_material_id = std::move(material_id),
          .customer_master_key_spec = std::string(to_string(record.spec)),
          .deletion_date = record.deletion_at,
          .description = record.description,
          .enabled = record.state == KeyState::kEnabled,
          .encryption_algorithms = std::move(algorithms.encryption),
          .expiration_model = std::move(model),
          .key_agreement_algorithms = std::move(algorithms.key_agreement),
          .key_id = key.id(),
          .key_manager = "CUSTOMER",
          .key_spec = std::string(to_string(record.spec)),
          .key_state = std::string(to_string(record.state)),
          .key_usage = std::string(to_string(record.usage)),
          .mac_algorithms = std::move(algorithms.mac),
          .multi_region = false,
          .origin = std::string(to_string(record.origin)),
          .signing_algorithms = std::move(algorithms.signing),
          .valid_to = valid_to};
}

}  // namespace keyhold::api

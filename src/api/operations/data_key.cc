#include "api/operations/data_key.h"

namespace keyhold::api {

Result<void> check_data_key_size(const std::optional<std::string>& key_spec,
                                 const std::optional<std::int64_t>& number_of_bytes) {
  if (key_spec.has_value() != number_of_bytes.has_value()) return {};
  return Error(ErrorCode::kValidation, "Please specify either number of bytes or key spec.");
}

Result<DataKey> make_data_key(Context& context, const std::optional<std::string>& key_spec,
                              const std::optional<std::int64_t>& number_of_bytes,
                              const kms::EncryptionContext& encryption_context) {
  const std::size_t size = number_of_bytes          ? static_cast<std::size_t>(*number_of_bytes)
                           : *key_spec == "AES_256" ? 32
                                                    : 16;
  TRY_ASSIGN(Secret plaintext, context.service().random(size));
  TRY_ASSIGN(kms::Encrypted encrypted,
             context.service().encrypt(context.key(), plaintext.view(), encryption_context));
  context.note_material("keyMaterialId", encrypted.material_id);
  return DataKey{std::move(plaintext), std::move(encrypted)};
}

}  // namespace keyhold::api

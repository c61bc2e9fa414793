#include "api/operations/data_key_pair.h"

#include "base/key_spec.h"

namespace keyhold::api {

Result<void> check_key_pair_spec(const Context& context, const std::string& spec) {
  return context.service().check_data_key_pair(parse_word<KeySpec>(spec).value());
}

Result<kms::EncryptedDataKeyPair> make_data_key_pair(
    Context& context, const std::string& spec, const kms::EncryptionContext& encryption_context) {
  TRY_ASSIGN(kms::EncryptedDataKeyPair made,
             context.service().generate_data_key_pair(
                 context.key(), parse_word<KeySpec>(spec).value(), encryption_context));
  context.note_material("keyMaterialId", made.private_key.material_id);
  return made;
}

}  // namespace keyhold::api

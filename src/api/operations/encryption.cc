#include "api/operations/encryption.h"

#include "api/members.h"
#include "api/operations/signing_request.h"
#include "base/key_spec.h"

namespace keyhold::api {

Result<void> check_context(const std::string& algorithm,
                           const kms::EncryptionContext& encryption_context) {
  if (algorithm == kSymmetricDefault || encryption_context.empty()) return {};
  return Error(ErrorCode::kValidation,
               "Encryption context is not supported with algorithm " + algorithm + ".");
}

Result<void> check_plaintext_size(const kms::Key& key, const std::string& algorithm,
                                  std::size_t size) {
  const AlgorithmRow& row = row_of(algorithm_of(algorithm));
  if (row.scheme != Scheme::kOaep) return {};
  const KeySpecRow& spec = row_of(key.record().spec);
  const std::size_t most = max_oaep_message(spec, row);
  if (size <= most) return {};
  return Error(ErrorCode::kValidation,
               "Algorithm " + algorithm + " and key spec " + std::string(to_string(spec.spec)) +
                   " cannot encrypt data larger than " + std::to_string(most) + " bytes.");
}

Result<Ciphertext> encrypt_by(Context& context, const kms::Key& key, const std::string& algorithm,
                              ByteView plaintext,
                              const kms::EncryptionContext& encryption_context) {
  if (algorithm != kSymmetricDefault) {
    TRY_ASSIGN(Bytes block,
               context.service().encrypt_padded(key, algorithm_of(algorithm), plaintext));
    return Ciphertext{std::move(block), std::nullopt};
  }
  TRY_ASSIGN(kms::Encrypted encrypted,
             context.service().encrypt(key, plaintext, encryption_context));
  return Ciphertext{std::move(encrypted.blob), std::move(encrypted.material_id)};
}

Result<Plaintext> decrypt_by(Context& context, const kms::Key& key, const std::string& algorithm,
                             ByteView ciphertext,
                             const kms::EncryptionContext& encryption_context) {
  if (algorithm != kSymmetricDefault) {
    TRY_ASSIGN(Secret opened,
               context.service().decrypt_padded(key, algorithm_of(algorithm), ciphertext));
    return Plaintext{std::move(opened), std::nullopt};
  }
  TRY_ASSIGN(kms::Decrypted decrypted,
             context.service().decrypt(key, context.ciphertext(), encryption_context));
  return Plaintext{std::move(decrypted.plaintext), std::move(decrypted.material_id)};
}

}  // namespace keyhold::api

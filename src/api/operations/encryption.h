// Encryption by any algorithm: under message keys in a ciphertext of our own, or RSA's bare block.
#pragma once

#include <optional>
#include <string>

#include "api/context.h"
#include "kms/encryption_context.h"

namespace keyhold::api {

struct Ciphertext {
  Bytes bytes;
  std::optional<std::string> material_id;  ///< of symmetric keys
};
struct Plaintext {
  Secret bytes;
  std::optional<std::string> material_id;
};

/// kValidation for an encryption context that goes with an asymmetric algorithm: nothing would bind
/// it.
Result<void> check_context(const std::string& algorithm,
                           const kms::EncryptionContext& encryption_context);

/// kValidation, with AWS's text, for more bytes than a padding holds.
Result<void> check_plaintext_size(const kms::Key& key, const std::string& algorithm,
                                  std::size_t size);

/// The algorithm is one of the key's.
Result<Ciphertext> encrypt_by(Context& context, const kms::Key& key, const std::string& algorithm,
                              ByteView plaintext, const kms::EncryptionContext& encryption_context);

/// `ciphertext`: the request's bytes; of symmetric keys the context has them taken apart.
Result<Plaintext> decrypt_by(Context& context, const kms::Key& key, const std::string& algorithm,
                             ByteView ciphertext, const kms::EncryptionContext& encryption_context);

}  // namespace keyhold::api

#include "kms/native_operations.h"

#include "base/key_spec.h"
#include "token/public_key.h"

namespace keyhold::kms {

Result<void> check_fits(const Key& key, Algorithm algorithm) {
  const KeySpec spec = key.record().spec;
  if (row_of(spec).algorithms.contains(algorithm)) return {};
  return Error(ErrorCode::kInvalidKeyUsage, "Algorithm " + std::string(to_string(algorithm)) +
                                                " is incompatible with key spec " +
                                                std::string(to_string(spec)) + ".");
}

std::vector<Algorithm> usable_algorithms(const token::Token& token, const Key& key) {
  std::vector<Algorithm> usable;
  for (const Algorithm algorithm : algorithms_of(key.record().spec, key.record().usage)) {
    const auto checked = token.check_algorithm(key.kind(), key.custody(), algorithm);
    // A token that is away takes nothing from the list.
    if (checked || checked.error().code() != ErrorCode::kUnsupportedOperation) {
      usable.push_back(algorithm);
    }
  }
  return usable;
}

Result<Bytes> NativeOperations::sign(const Key& key, Algorithm algorithm, const Message& message) {
  TRY_ASSIGN(auto signature, token_.sign(key.current_material().use, algorithm, message));
  key.current_material().note_use();
  return signature;
}

Result<void> NativeOperations::verify(const Key& key, Algorithm algorithm, const Message& message,
                                      ByteView signature) {
  return token_.verify(key.current_material().use, algorithm, message, signature);
}

Result<void> NativeOperations::verify_mac(const Key& key, Algorithm algorithm, ByteView message,
                                          ByteView mac) {
  TRY_ASSIGN(const Bytes expected, sign(key, algorithm, {MessageType::kRaw, message}));
  if (equal_in_constant_time(expected, mac)) return {};
  return Error(ErrorCode::kKmsInvalidMac);
}

Result<Secret> NativeOperations::derive_shared_secret(const Key& key, ByteView peer) {
  const auto point = token::peer_point(key.record().spec, peer);
  // AWS sends no message with this one.
  if (!point) return Error(ErrorCode::kValidation);
  return token_.agree(key.current_material().use, *point);
}

Result<Bytes> NativeOperations::encrypt(const Key& key, Algorithm algorithm, ByteView plaintext) {
  return token_.encrypt_padded(key.current_material().use, algorithm, plaintext);
}

Result<Secret> NativeOperations::decrypt(const Key& key, Algorithm algorithm, ByteView ciphertext) {
  return token_.decrypt_padded(key.current_material().use, algorithm, ciphertext);
}

}  // namespace keyhold::kms

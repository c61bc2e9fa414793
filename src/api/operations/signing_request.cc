#include "api/operations/signing_request.h"

namespace keyhold::api {

Result<void> check_message(const kms::Key& key, const std::string& algorithm,
                           const std::string& message_type, ByteView message) {
  const AlgorithmRow& row = row_of(algorithm_of(algorithm));
  const MessageType type = parse_word<MessageType>(message_type).value();
  if (!row.message_types.contains(type)) {
    // Of ML-DSA, AWS names the key spec.
    const std::string with = row.scheme == Scheme::kMlDsa
                                 ? "key spec " + std::string(to_string(key.record().spec))
                                 : "algorithm " + algorithm;
    return Error(ErrorCode::kValidation,
                 "Message type " + message_type + " is incompatible with " + with + ".");
  }
  if (type != MessageType::kRaw && message.size() != row.digest_size) {
    return Error(ErrorCode::kValidation,
                 "Digest is invalid length for algorithm " + algorithm + ".");
  }
  return {};
}

Message message_of(const std::string& message_type, ByteView message) {
  return {parse_word<MessageType>(message_type).value(), message};
}

Algorithm algorithm_of(const std::string& word) { return parse_word<Algorithm>(word).value(); }

}  // namespace keyhold::api

// Data keys: GenerateDataKey and GenerateDataKeyWithoutPlaintext differ in their answers alone.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "api/context.h"
#include "kms/encryption_context.h"

namespace keyhold::api {

struct DataKey {
  Secret plaintext;
  kms::Encrypted encrypted;
};

/// kValidation unless exactly one of the two is given.
Result<void> check_data_key_size(const std::optional<std::string>& key_spec,
                                 const std::optional<std::int64_t>& number_of_bytes);

/// A new data key under the call's KMS key; its size has been checked.
Result<DataKey> make_data_key(Context& context, const std::optional<std::string>& key_spec,
                              const std::optional<std::int64_t>& number_of_bytes,
                              const kms::EncryptionContext& encryption_context);

}  // namespace keyhold::api

// Data key pairs: GenerateDataKeyPair and GenerateDataKeyPairWithoutPlaintext differ in their
// answers alone.
#pragma once

#include <string>

#include "api/context.h"

namespace keyhold::api {

/// kUnsupportedOperation for pairs that are not to be had in the region.
Result<void> check_key_pair_spec(const Context& context, const std::string& spec);

/// A new pair under the call's KMS key; its spec has been checked.
Result<kms::EncryptedDataKeyPair> make_data_key_pair(
    Context& context, const std::string& spec, const kms::EncryptionContext& encryption_context);

}  // namespace keyhold::api

// What Sign and Verify ask of a message beyond its shape.
#pragma once

#include <string>

#include "api/context.h"
#include "base/algorithm.h"

namespace keyhold::api {

/// kValidation, as AWS words it, unless the algorithm takes messages of that type, and the message
/// has the length of what it says it is. The words are of the model.
Result<void> check_message(const kms::Key& key, const std::string& algorithm,
                           const std::string& message_type, ByteView message);

Message message_of(const std::string& message_type, ByteView message);

/// The algorithm of a word that has been validated.
Algorithm algorithm_of(const std::string& word);

}  // namespace keyhold::api

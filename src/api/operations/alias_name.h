// What an alias's name must be, beyond its shape (developer guide, "Aliases").
#pragma once

#include <string_view>

#include "base/result.h"

namespace keyhold::api {

/// kValidation, with AWS's texts, for a name without the prefix `alias/` and for a colon, which
/// the shape's pattern lets through.
Result<void> check_alias_name(std::string_view name);

/// kValidation where the target of an alias is an alias itself, by name or by ARN.
Result<void> check_alias_target(std::string_view target_key_id);

}  // namespace keyhold::api

// The six parts of an ARN: `arn`, partition, service, region, account, resource.
#pragma once

#include <array>
#include <optional>
#include <string_view>

namespace keyhold::iam {

using ArnParts = std::array<std::string_view, 6>;

/// Views into `text`, if it has all the parts and begins with `arn`. The last one holds whatever
/// colons follow.
std::optional<ArnParts> split_arn(std::string_view text);

/// The same of a pattern, in which colons inside of policy variables separate nothing.
std::optional<ArnParts> split_arn_pattern(std::string_view text);

}  // namespace keyhold::iam

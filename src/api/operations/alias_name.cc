#include "api/operations/alias_name.h"

#include <string>

#include "kms/arn.h"

namespace keyhold::api {
namespace {

constexpr std::string_view kPrefix = "alias/";

}  // namespace

Result<void> check_alias_name(std::string_view name) {
  if (!name.starts_with(kPrefix)) {
    return Error(ErrorCode::kValidation,
                 "Alias must start with the prefix \"alias/\". Please see "
                 "https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html");
  }
  if (name.find(':') != std::string_view::npos) {
    return Error(ErrorCode::kValidation,
                 std::string(name) + " contains invalid characters for an alias");
  }
  return {};
}

Result<void> check_alias_target(std::string_view target_key_id) {
  const auto arn = kms::parse_arn(target_key_id);
  if (target_key_id.starts_with(kPrefix) || (arn && arn->resource.starts_with(kPrefix))) {
    return Error(ErrorCode::kValidation, "Aliases must refer to keys. Not aliases");
  }
  return {};
}

}  // namespace keyhold::api

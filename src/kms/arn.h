// Names of KMS keys and aliases (developer guide, "Key identifiers").
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace keyhold::kms {

/// The partition a region belongs to: `aws`, `aws-cn`, `aws-us-gov`, …
std::string_view partition_of(std::string_view region);

std::string key_arn(std::string_view region, std::string_view account, std::string_view key_id);
/// `alias_name` carries its prefix `alias/`.
std::string alias_arn(std::string_view region, std::string_view account,
                      std::string_view alias_name);

/// An ARN of a KMS key or alias, taken apart. The views lie in the text it was parsed from.
struct Arn {
  std::string_view partition;
  std::string_view region;
  std::string_view account;
  std::string_view resource;  ///< `key/<id>` or `alias/<name>`
};

/// Nothing if the text is not `arn:<partition>:kms:<region>:<account>:<resource>`.
std::optional<Arn> parse_arn(std::string_view text);

/// Whether the text has the form of a key id: a UUID, or `mrk-` and 32 hexadecimal digits.
bool is_key_id(std::string_view text);

/// Whether the text has the form of a region name, as `eu-central-1`.
bool is_region(std::string_view text);

}  // namespace keyhold::kms

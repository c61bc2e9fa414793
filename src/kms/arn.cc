#include "kms/arn.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/ids.h"

namespace keyhold::kms {
namespace {

// botocore's endpoints: a region's prefix tells its partition.
constexpr auto kPartitions = std::to_array<std::pair<std::string_view, std::string_view>>({
    {"cn-", "aws-cn"},
    {"us-gov-", "aws-us-gov"},
    {"us-iso-", "aws-iso"},
    {"us-isob-", "aws-iso-b"},
    {"eu-isoe-", "aws-iso-e"},
    {"us-isof-", "aws-iso-f"},
    {"eusc-", "aws-eusc"},
});

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

std::string_view partition_of(std::string_view region) {
  for (const auto& [prefix, partition] : kPartitions) {
    if (region.starts_with(prefix)) return partition;
  }
  return "aws";
}

std::string key_arn(std::string_view region, std::string_view account, std::string_view key_id) {
  std::string arn = "arn:";
  arn.append(partition_of(region)).append(":kms:").append(region).append(":").append(account);
  return arn.append(":key/").append(key_id);
}

std::string alias_arn(std::string_view region, std::string_view account,
                      std::string_view alias_name) {
  std::string arn = "arn:";
  arn.append(partition_of(region)).append(":kms:").append(region).append(":").append(account);
  return arn.append(":").append(alias_name);
}

std::optional<Arn> parse_arn(std::string_view text) {
  std::array<std::string_view, 5> parts;
  for (auto& part : parts) {
    const auto colon = text.find(':');
    if (colon == std::string_view::npos) return std::nullopt;
    part = text.substr(0, colon);
    text.remove_prefix(colon + 1);
  }
  if (parts[0] != "arn" || !parts[1].starts_with("aws") || parts[2] != "kms") return std::nullopt;
  if (parts[3].empty()) return std::nullopt;
  if (parts[4].size() != 12 || !std::ranges::all_of(parts[4], is_digit)) return std::nullopt;
  if (!text.starts_with("key/") && !text.starts_with("alias/")) return std::nullopt;
  return Arn{parts[1], parts[3], parts[4], text};
}

bool is_key_id(std::string_view text) {
  if (!text.starts_with("mrk-")) return is_uuid(text);
  text.remove_prefix(4);
  return text.size() == 32 &&
         std::ranges::all_of(text, [](char c) { return is_digit(c) || (c >= 'a' && c <= 'f'); });
}

bool is_region(std::string_view text) {
  // word(-word)+-number: us-east-1, us-gov-west-1, eusc-de-east-1
  if (text.size() > 32) return false;
  int words = 0;
  while (true) {
    const auto dash = text.find('-');
    const auto part = text.substr(0, dash);
    if (part.empty()) return false;
    if (dash == std::string_view::npos) return words >= 2 && std::ranges::all_of(part, is_digit);
    if (!std::ranges::all_of(part, is_lower)) return false;
    ++words;
    text.remove_prefix(dash + 1);
  }
}

}  // namespace keyhold::kms

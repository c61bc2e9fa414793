#include "kms/principal_arn.h"

#include <algorithm>
#include <array>
#include <optional>

namespace keyhold::kms {
namespace {

/// A kind of principal: what its ARN's resource begins with, and how many names follow at least.
struct PrincipalKind {
  std::string_view service;
  std::string_view prefix;
  std::size_t least_names;
};

constexpr auto kKinds = std::to_array<PrincipalKind>({
    {"iam", "user/", 1},
    {"iam", "role/", 1},
    {"sts", "assumed-role/", 2},
    {"sts", "federated-user/", 1},
});

/// The part before the next colon, taken off the front of `rest`.
std::optional<std::string_view> next_part(std::string_view& rest) {
  const auto colon = rest.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  const std::string_view part = rest.substr(0, colon);
  rest.remove_prefix(colon + 1);
  return part;
}

bool is_account(std::string_view text) {
  return text.size() == 12 &&
         std::ranges::all_of(text, [](char c) { return c >= '0' && c <= '9'; });
}

/// Whether the text is at least so many names with slashes between them, none of them empty.
bool are_names(std::string_view text, std::size_t least) {
  std::size_t names = 0;
  while (true) {
    const auto slash = text.find('/');
    if (slash == 0 || text.empty()) return false;
    ++names;
    if (slash == std::string_view::npos) return names >= least;
    text.remove_prefix(slash + 1);
  }
}

}  // namespace

bool is_principal_arn(std::string_view text) {
  const auto scheme = next_part(text);
  const auto partition = next_part(text);
  const auto service = next_part(text);
  const auto region = next_part(text);
  const auto account = next_part(text);
  if (!scheme || !partition || !service || !region || !account || *scheme != "arn" ||
      !partition->starts_with("aws") || !region->empty() || !is_account(*account)) {
    return false;
  }
  if (*service == "iam" && text == "root") return true;
  return std::ranges::any_of(kKinds, [&](const PrincipalKind& kind) {
    return *service == kind.service && text.starts_with(kind.prefix) &&
           are_names(text.substr(kind.prefix.size()), kind.least_names);
  });
}

std::string_view account_of(std::string_view principal_arn) {
  if (!is_principal_arn(principal_arn)) return {};
  std::string_view rest = principal_arn;
  std::string_view account;
  for (int part = 0; part < 5; ++part) account = next_part(rest).value_or("");
  return account;
}

std::string root_arn(std::string_view account, std::string_view like) {
  std::string_view rest = like;
  next_part(rest);
  const auto partition = next_part(rest);
  return "arn:" + std::string(partition.value_or("aws")) + ":iam::" + std::string(account) +
         ":root";
}

}  // namespace keyhold::kms

#include "iam/principal.h"

#include <algorithm>
#include <array>

#include "iam/ascii.h"
#include "iam/credential.h"
#include "iam/digest.h"

namespace keyhold::iam {
namespace {

constexpr std::size_t kIdCharacters = 17;  // after `AIDA`, as IAM's
constexpr std::size_t kMinSessionName = 2;
constexpr std::size_t kMaxSessionName = 64;

struct IdentityRow {
  std::string_view prefix;
  PrincipalType type;
  std::string_view id_prefix;
  std::string_view noun;
  std::size_t max_name;
};

constexpr std::array<IdentityRow, 3> kIdentities{{
    {"user/", PrincipalType::kUser, "AIDA", "user", kMaxUserName},
    {"role/", PrincipalType::kRole, "AROA", "role", kMaxUserName},
    {"group/", PrincipalType::kGroup, "AGPA", "group", kMaxGroupName},
}};

// CreateUser: [\w+=,.@-]+ for a name, [!-\x7E] between the slashes of a path. IAM would let a path
// have empty segments; here a name that two texts could stand for is refused.
bool has_name_characters(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    return is_alphanumeric(c) || std::string_view("_+=,.@-").find(c) != std::string_view::npos;
  });
}

bool is_path(std::string_view text) {
  return text.size() <= kMaxPath && text.front() == '/' && text.back() == '/' &&
         text.find("//") == std::string_view::npos &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '!' && c <= '~'; });
}

std::string unique_id(std::string_view prefix, std::string_view arn) {
  const auto digest = sha256(as_bytes(arn));
  std::string id(prefix);
  for (std::size_t i = 0; i < kIdCharacters; ++i) id += kBase32Alphabet[digest[i] % 32];
  return id;
}

std::string arn_of(std::string_view service, std::string_view account, std::string_view resource) {
  std::string arn = "arn:aws:";
  return arn.append(service).append("::").append(account).append(":").append(resource);
}

}  // namespace

bool is_account(std::string_view text) {
  return text.size() == kAccountDigits && std::all_of(text.begin(), text.end(), is_digit);
}

Result<Principal> parse_principal(std::string_view text, std::string_view account) {
  if (text != "root") {
    if (!text.starts_with(kIdentities[0].prefix)) {
      return Error(ErrorCode::kValidation, "A principal is root or user/<name>.");
    }
    return parse_identity(text, account);
  }
  if (!is_account(account)) return Error(ErrorCode::kValidation, "An account has twelve digits.");
  Principal principal;
  principal.account = account;
  principal.type = PrincipalType::kRoot;
  principal.arn = arn_of("iam", account, text);
  principal.id = account;
  return principal;
}

Result<Principal> parse_identity(std::string_view text, std::string_view account) {
  if (!is_account(account)) return Error(ErrorCode::kValidation, "An account has twelve digits.");
  const auto row = std::ranges::find_if(kIdentities, [&](const IdentityRow& candidate) {
    return text.starts_with(candidate.prefix);
  });
  if (row == kIdentities.end()) {
    return Error(ErrorCode::kValidation,
                 "An identity is user/<name>, role/<name> or group/<name>.");
  }
  Principal principal;
  principal.account = account;
  principal.type = row->type;
  const std::string_view path_and_name = text.substr(row->prefix.size() - 1);
  const std::size_t name_at = path_and_name.rfind('/') + 1;
  principal.path = path_and_name.substr(0, name_at);
  principal.name = path_and_name.substr(name_at);
  const std::string noun(row->noun);
  if (principal.name.empty() || principal.name.size() > row->max_name ||
      !has_name_characters(principal.name)) {
    return Error(ErrorCode::kValidation, "A " + noun + " name has 1 to " +
                                             std::to_string(row->max_name) +
                                             " letters, digits and characters of _+=,.@- in it.");
  }
  if (!is_path(principal.path)) {
    return Error(
        ErrorCode::kValidation,
        "A " + noun + "'s path has at most 512 printable ASCII characters and no empty segment.");
  }
  principal.arn = arn_of("iam", account, text);
  principal.id = unique_id(row->id_prefix, principal.arn);
  return principal;
}

Principal session_principal(const Principal& role, std::string_view session_name) {
  Principal session = role;
  session.type = PrincipalType::kAssumedRole;
  session.role_arn = role.arn;
  const std::string named = role.name + "/" + std::string(session_name);
  session.arn = arn_of("sts", role.account, "assumed-role/" + named);
  session.id = role.id + ":" + std::string(session_name);
  return session;
}

bool is_session_name(std::string_view text) {
  return text.size() >= kMinSessionName && text.size() <= kMaxSessionName &&
         has_name_characters(text);
}

}  // namespace keyhold::iam

#include "iam/principal.h"

#include <algorithm>

#include "iam/ascii.h"
#include "iam/credential.h"
#include "iam/digest.h"

namespace keyhold::iam {
namespace {

constexpr std::string_view kUserPrefix = "user/";
constexpr std::size_t kIdCharacters = 17;  // after `AIDA`, as IAM's

// CreateUser: [\w+=,.@-]+ for a name, [!-\x7E] between the slashes of a path. IAM would let a path
// have empty segments; here a name that two texts could stand for is refused.
bool is_user_name(std::string_view text) {
  return !text.empty() && text.size() <= kMaxUserName &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return is_alphanumeric(c) ||
                  std::string_view("_+=,.@-").find(c) != std::string_view::npos;
         });
}

bool is_path(std::string_view text) {
  return text.size() <= kMaxPath && text.front() == '/' && text.back() == '/' &&
         text.find("//") == std::string_view::npos &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '!' && c <= '~'; });
}

std::string user_id(std::string_view arn) {
  const auto digest = sha256(as_bytes(arn));
  std::string id = "AIDA";
  for (std::size_t i = 0; i < kIdCharacters; ++i) id += kBase32Alphabet[digest[i] % 32];
  return id;
}

}  // namespace

bool is_account(std::string_view text) {
  return text.size() == kAccountDigits && std::all_of(text.begin(), text.end(), is_digit);
}

Result<Principal> parse_principal(std::string_view text, std::string_view account) {
  if (!is_account(account)) return Error(ErrorCode::kValidation, "An account has twelve digits.");

  Principal principal;
  principal.account = account;
  const std::string arn_start = "arn:aws:iam::" + principal.account + ":";
  if (text == "root") {
    principal.type = PrincipalType::kRoot;
    principal.arn = arn_start + "root";
    principal.id = account;
    return principal;
  }

  if (!text.starts_with(kUserPrefix))
    return Error(ErrorCode::kValidation, "A principal is root or user/<name>.");
  const std::string_view path_and_name = text.substr(kUserPrefix.size() - 1);
  const std::size_t name_at = path_and_name.rfind('/') + 1;
  principal.path = path_and_name.substr(0, name_at);
  principal.name = path_and_name.substr(name_at);
  if (!is_user_name(principal.name)) {
    return Error(ErrorCode::kValidation,
                 "A user name has 1 to 64 letters, digits and characters of _+=,.@- in it.");
  }
  if (!is_path(principal.path)) {
    return Error(ErrorCode::kValidation,
                 "A user's path has at most 512 printable ASCII characters and no empty segment.");
  }
  principal.type = PrincipalType::kUser;
  principal.arn = arn_start + std::string(text);
  principal.id = user_id(principal.arn);
  return principal;
}

}  // namespace keyhold::iam

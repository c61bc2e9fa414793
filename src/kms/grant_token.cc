#include "kms/grant_token.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "base/base64.h"
#include "iam/digest.h"

namespace keyhold::kms {
namespace {

constexpr std::string_view kAad = "keyhold grant token 1";
constexpr std::size_t kKnownTokens = 16'384;
constexpr char kSeparator = ' ';  // in no part of a reference

std::string to_text(const GrantReference& reference) {
  return reference.grant_id + kSeparator + reference.key_id + kSeparator +
         reference.issuing_account + kSeparator +
         std::to_string(reference.expires_at.time_since_epoch().count());
}

std::optional<GrantReference> from_text(std::string_view text) {
  std::vector<std::string_view> parts;
  while (true) {
    const auto end = text.find(kSeparator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) break;
    text.remove_prefix(end + 1);
  }
  if (parts.size() != 4) return std::nullopt;
  std::int64_t expires = 0;
  const auto* const last = parts[3].data() + parts[3].size();
  const auto [end, error] = std::from_chars(parts[3].data(), last, expires);
  if (error != std::errc{} || end != last) return std::nullopt;
  return GrantReference{std::string(parts[0]), std::string(parts[1]), std::string(parts[2]),
                        TimePoint(milliseconds(expires))};
}

std::string to_url_base64(ByteView bytes) {
  std::string text = to_base64(bytes);
  while (!text.empty() && text.back() == '=') text.pop_back();
  std::ranges::replace(text, '+', '-');
  std::ranges::replace(text, '/', '_');
  return text;
}

std::optional<Bytes> from_url_base64(std::string_view url_text) {
  std::string text(url_text);
  if (text.find_first_of("+/=") != std::string::npos) return std::nullopt;
  std::ranges::replace(text, '-', '+');
  std::ranges::replace(text, '_', '/');
  while (text.size() % 4 != 0) text += '=';
  return from_base64(text);
}

}  // namespace

Error invalid_grant_token() {
  return Error(ErrorCode::kInvalidGrantToken, "The specified grant token is not valid.");
}

GrantTokens::GrantTokens(token::Token& token, token::Material service_key, const Clock& clock,
                         Random& random)
    : sealer_(token, std::move(service_key), random), clock_(clock), known_(kKnownTokens) {}

Result<std::string> GrantTokens::issue(const store::GrantRecord& grant) {
  const GrantReference reference{grant.grant_id, grant.key_id, grant.issuing_account,
                                 clock_.now() + kLifetime};
  TRY_ASSIGN(const Bytes sealed, sealer_.seal(as_bytes(to_text(reference)), as_bytes(kAad)));
  return to_url_base64(sealed);
}

Result<std::shared_ptr<const GrantReference>> GrantTokens::read(std::string_view text) {
  const std::string fingerprint = to_hex(iam::sha256(as_bytes(text)));
  if (auto known = known_.find(fingerprint)) return *known;
  const auto sealed = from_url_base64(text);
  if (!sealed) return invalid_grant_token();
  const auto opened = sealer_.open(*sealed, as_bytes(kAad));
  if (!opened) {
    // A token that is away is not the caller's fault; whatever does not open is.
    if (opened.error().code() == ErrorCode::kKeyUnavailable) return opened.error();
    return invalid_grant_token();
  }
  auto reference = from_text(opened->text());
  if (!reference) return invalid_grant_token();
  return known_.insert(fingerprint, std::make_shared<const GrantReference>(std::move(*reference)));
}

}  // namespace keyhold::kms

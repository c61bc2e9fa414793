#include "kms/import_token.h"

#include <charconv>
#include <optional>
#include <vector>

namespace keyhold::kms {
namespace {

constexpr std::string_view kAad = "keyhold import token 1";
constexpr char kSeparator = ' ';  // in no part of a token

std::vector<std::string_view> split(std::string_view text) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto end = text.find(kSeparator);
    parts.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return parts;
    text.remove_prefix(end + 1);
  }
}

std::optional<TimePoint> parse_time(std::string_view text) {
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return TimePoint(milliseconds(count));
}

}  // namespace

// As sealed: key id, account, object name, spec, algorithm, end.
Result<Bytes> ImportTokens::issue(const Key& key, const store::WrappingKeyRecord& wrapping_key) {
  std::string text = key.id();
  for (const std::string& part :
       {key.record().account, std::string(wrapping_key.object_name.hex()),
        std::string(to_string(wrapping_key.spec)), std::string(to_string(wrapping_key.algorithm)),
        std::to_string(wrapping_key.expires_at.time_since_epoch().count())}) {
    text += kSeparator;
    text += part;
  }
  return sealer_.seal(as_bytes(text), as_bytes(kAad));
}

Result<token::WrappingKey> ImportTokens::read(const Key& key, ByteView import_token) {
  const auto opened = sealer_.open(import_token, as_bytes(kAad));
  if (!opened) {
    // A token that is away is not the caller's fault; whatever does not open is.
    if (opened.error().code() == ErrorCode::kKeyUnavailable) return opened.error();
    return Error(ErrorCode::kInvalidImportToken);
  }
  const auto parts = split(opened->text());
  if (parts.size() != 6 || parts[0] != key.id() || parts[1] != key.record().account) {
    return Error(ErrorCode::kInvalidImportToken);
  }
  const auto name = ObjectName::from_hex(parts[2]);
  const auto spec = parse_word<KeySpec>(parts[3]);
  const auto algorithm = parse_word<WrappingAlgorithm>(parts[4]);
  const auto expires_at = parse_time(parts[5]);
  if (!name || !spec || !algorithm || !expires_at) return Error(ErrorCode::kInvalidImportToken);
  if (*expires_at <= clock_.now()) return Error(ErrorCode::kExpiredImportToken);
  return token::WrappingKey{*name, *spec, *algorithm};
}

}  // namespace keyhold::kms

#include "kms/encryption_context.h"

#include <algorithm>

namespace keyhold::kms {
namespace {

constexpr std::size_t kLengthSize = 4;

void append_length(Bytes& to, std::size_t length) {
  for (int shift = 24; shift >= 0; shift -= 8) {
    to.push_back(static_cast<std::uint8_t>(length >> shift));
  }
}

void append_text(Bytes& to, std::string_view text) {
  append_length(to, text.size());
  append(to, as_bytes(text));
}

}  // namespace

Result<EncryptionContext> EncryptionContext::from_pairs(
    std::vector<std::pair<std::string, std::string>> pairs) {
  std::size_t size = kLengthSize;
  for (const auto& [name, value] : pairs) size += 2 * kLengthSize + name.size() + value.size();
  if (size > kMaxCanonicalSize) {
    return Error(ErrorCode::kValidation, "The encryption context is too large.");
  }
  std::ranges::sort(pairs);  // std::string compares chars as unsigned: by UTF-8 bytes
  EncryptionContext context;
  context.pairs_ = std::move(pairs);
  return context;
}

void EncryptionContext::append_canonical(Bytes& to) const {
  append_length(to, pairs_.size());
  for (const auto& [name, value] : pairs_) {
    append_text(to, name);
    append_text(to, value);
  }
}

}  // namespace keyhold::kms

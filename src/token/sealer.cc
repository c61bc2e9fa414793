#include "token/sealer.h"

#include <array>
#include <string_view>
#include <utility>

#include "token/construction.h"

namespace keyhold::token {
namespace {

constexpr std::uint8_t kVersion = 2;
// Its IVs have 12 bytes and stand in the header, which is authenticated, where version 2 has their
// length. Still opened, no longer made.
constexpr std::uint8_t kVersionWithIvInHeader = 1;
constexpr std::string_view kDomain = "keyhold sealed secret";

Bytes sealed_aad(ByteView header, ByteView aad) {
  Bytes all;
  for (const ByteView part : {as_bytes(kDomain), header, aad}) {
    for (int shift = 24; shift >= 0; shift -= 8) {
      all.push_back(static_cast<std::uint8_t>(part.size() >> shift));
    }
    append(all, part);
  }
  return all;
}

Error not_ours(std::string_view why) {
  return Error(ErrorCode::kKmsInternal, {}, "a sealed secret does not open: " + std::string(why));
}

}  // namespace

Sealer::Sealer(Token& token, Material material, Random& random)
    : token_(token), material_(std::move(material)), random_(random) {}

Result<Bytes> Sealer::seal(ByteView plaintext, ByteView aad) {
  TRY_ASSIGN(const MessageKeyPtr key, token_.encryption_key(material_));
  Bytes iv(token_.iv_size());
  random_.fill(iv);
  Bytes sealed{kVersion, static_cast<std::uint8_t>(key->construction())};
  append(sealed, key->salt());
  append(sealed, key->header_tag());
  sealed.push_back(static_cast<std::uint8_t>(iv.size()));
  TRY_ASSIGN(const Bytes ciphertext, token_.encrypt(*key, iv, sealed_aad(sealed, aad), plaintext));
  append(sealed, iv);
  append(sealed, ciphertext);
  return sealed;
}

Result<Secret> Sealer::open(ByteView sealed, ByteView aad) {
  const bool iv_in_header = !sealed.empty() && sealed[0] == kVersionWithIvInHeader;
  if (sealed.size() < 2 || (sealed[0] != kVersion && !iv_in_header)) {
    return not_ours("unknown version");
  }
  if (sealed[1] != static_cast<std::uint8_t>(material_.construction)) {
    return not_ours("another construction");
  }
  const bool derived = material_.construction == Construction::kEcbDerived;
  const std::size_t salt_size = derived ? kEcbSaltSize : 0;
  const std::size_t tag_size = derived ? kCmacSize : 0;
  const std::size_t header_size = 2 + salt_size + tag_size + (iv_in_header ? kGcmIvSize : 1);
  if (sealed.size() < header_size) return not_ours("too short");
  const ByteView header = sealed.first(header_size);
  const std::size_t iv_size = iv_in_header ? kGcmIvSize : header.back();
  const std::size_t iv_begin = iv_in_header ? header_size - iv_size : header_size;
  if (!is_iv_size(iv_size) || sealed.size() < iv_begin + iv_size + kGcmTagSize) {
    return not_ours("too short");
  }

  auto key = token_.decryption_key(material_, header.subspan(2, salt_size),
                                   header.subspan(2 + salt_size, tag_size));
  if (!key) {
    if (key.error().code() == ErrorCode::kInvalidCiphertext) return not_ours("header tag");
    return key.error();
  }
  auto plaintext = token_.decrypt(**key, sealed.subspan(iv_begin, iv_size), sealed_aad(header, aad),
                                  sealed.subspan(iv_begin + iv_size));
  if (!plaintext && plaintext.error().code() == ErrorCode::kInvalidCiphertext) {
    return not_ours("tag");
  }
  return plaintext;
}

}  // namespace keyhold::token

#include "iam/digest.h"

#include <openssl/evp.h>

#include <algorithm>
#include <memory>
#include <stdexcept>

#include "base/secret.h"

namespace keyhold::iam {
namespace {

constexpr std::size_t kBlockSize = 64;

struct Free {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};

void expect(bool done) {
  // Hashing memory fails for want of memory or of a default provider alone.
  if (!done) throw std::runtime_error("OpenSSL cannot compute SHA-256");
}

const EVP_MD* fetched_sha256() {
  // Never freed: threads may hash until the process has ended.
  static const EVP_MD* const digest = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  expect(digest != nullptr);
  return digest;
}

EVP_MD_CTX* thread_context() {
  thread_local const std::unique_ptr<EVP_MD_CTX, Free> context(EVP_MD_CTX_new());
  expect(context != nullptr);
  return context.get();
}

void hash(std::initializer_list<ByteView> first, std::initializer_list<ByteView> then,
          std::uint8_t* out) {
  EVP_MD_CTX* const context = thread_context();
  expect(EVP_DigestInit_ex2(context, fetched_sha256(), nullptr) == 1);
  for (const auto& parts : {first, then}) {
    for (const ByteView part : parts)
      expect(EVP_DigestUpdate(context, part.data(), part.size()) == 1);
  }
  expect(EVP_DigestFinal_ex(context, out, nullptr) == 1);
}

}  // namespace

Sha256 sha256(ByteView bytes) {
  Sha256 digest;
  hash({bytes}, {}, digest.data());
  return digest;
}

// Composed here of plain digests: an EVP_MAC context that is kept keeps the last key in it too, and
// one made for each call costs more than the two digests do.
void hmac_sha256(ByteView key, std::initializer_list<ByteView> parts,
                 std::span<std::uint8_t, kSha256Size> mac) {
  std::array<std::uint8_t, kBlockSize> inner{};
  std::array<std::uint8_t, kBlockSize> outer;
  if (key.size() > kBlockSize) {
    hash({key}, {}, inner.data());
  } else {
    std::copy(key.begin(), key.end(), inner.begin());
  }
  for (std::size_t i = 0; i < kBlockSize; ++i) {
    outer[i] = inner[i] ^ 0x5c;
    inner[i] ^= 0x36;
  }
  Sha256 inner_digest;
  hash({inner}, parts, inner_digest.data());
  hash({outer}, {inner_digest}, mac.data());
  wipe(inner.data(), inner.size());
  wipe(outer.data(), outer.size());
  wipe(inner_digest.data(), inner_digest.size());
}

}  // namespace keyhold::iam

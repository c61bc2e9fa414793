// Bytes that are wiped before their memory is given back: PINs, plaintexts, values read.
#pragma once

#include <string.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "pkcs11/cryptoki.h"

namespace keyhold::pkcs11 {

template <typename T>
struct WipingAllocator {
  using value_type = T;

  WipingAllocator() = default;
  template <typename U>
  // NOLINTNEXTLINE(google-explicit-constructor): containers rebind allocators implicitly.
  WipingAllocator(const WipingAllocator<U>&) noexcept {}

  T* allocate(std::size_t n) { return std::allocator<T>().allocate(n); }
  void deallocate(T* p, std::size_t n) {
    ::explicit_bzero(p, n * sizeof(T));
    std::allocator<T>().deallocate(p, n);
  }
  friend bool operator==(const WipingAllocator&, const WipingAllocator&) { return true; }
};

/// Secret bytes, with no stream operator and no comparison.
class SecretBytes {
 public:
  SecretBytes() = default;
  explicit SecretBytes(std::size_t size) : bytes_(size) {}
  explicit SecretBytes(ByteView bytes) : bytes_(bytes.begin(), bytes.end()) {}
  explicit SecretBytes(std::string_view text) : bytes_(text.begin(), text.end()) {}

  std::uint8_t* data() { return bytes_.data(); }
  const std::uint8_t* data() const { return bytes_.data(); }
  std::size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }
  /// What is cut off by shrinking is wiped at once.
  void resize(std::size_t size) {
    if (size < bytes_.size()) ::explicit_bzero(bytes_.data() + size, bytes_.size() - size);
    bytes_.resize(size);
  }
  ByteView view() const { return {bytes_.data(), bytes_.size()}; }

  bool operator==(const SecretBytes&) const = delete;

 private:
  std::vector<std::uint8_t, WipingAllocator<std::uint8_t>> bytes_;
};

}  // namespace keyhold::pkcs11

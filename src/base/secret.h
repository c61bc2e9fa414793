// Buffers for plaintexts, PINs and secret access keys: wiped before their memory is given back.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"

namespace keyhold {

/// Overwrites memory in a way the compiler may not leave out.
void wipe(void* data, std::size_t size);

/// An allocator that wipes what it frees, so that a growing or dying container leaves nothing.
template <typename T>
struct WipingAllocator {
  using value_type = T;

  WipingAllocator() = default;
  template <typename U>
  // NOLINTNEXTLINE(google-explicit-constructor): containers rebind allocators implicitly.
  WipingAllocator(const WipingAllocator<U>&) noexcept {}

  T* allocate(std::size_t n) { return std::allocator<T>().allocate(n); }
  void deallocate(T* p, std::size_t n) {
    wipe(p, n * sizeof(T));
    std::allocator<T>().deallocate(p, n);
  }
  friend bool operator==(const WipingAllocator&, const WipingAllocator&) { return true; }
};

/// A vector of secret bytes or characters.
template <typename T>
using Wiped = std::vector<T, WipingAllocator<T>>;

/// What `to.insert(to.end(), …)` does, but at once: a vector whose allocator is not the standard
/// one copies its elements one by one.
template <typename T>
void append(Wiped<T>& to, std::span<const T> more) {
  const std::size_t before = to.size();
  to.resize(before + more.size());
  std::copy(more.begin(), more.end(), to.data() + before);
}

/// Secret bytes. A vector and nothing more, so that it fits where bytes fit; it has no stream
/// operator and no comparison but equal_in_constant_time.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::size_t size) : bytes_(size) {}
  explicit Secret(ByteView bytes) { append(bytes); }
  explicit Secret(std::string_view text) : Secret(as_bytes(text)) {}

  Secret(const Secret&) = default;
  Secret& operator=(const Secret&) = default;
  Secret(Secret&&) noexcept = default;
  Secret& operator=(Secret&&) noexcept = default;
  ~Secret() = default;

  std::uint8_t* data() { return bytes_.data(); }
  const std::uint8_t* data() const { return bytes_.data(); }
  std::size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }
  void resize(std::size_t size) { bytes_.resize(size); }
  void append(ByteView more) { keyhold::append(bytes_, more); }

  ByteView view() const { return {bytes_.data(), bytes_.size()}; }
  std::string_view text() const { return as_text(view()); }

  bool operator==(const Secret&) const = delete;

 private:
  Wiped<std::uint8_t> bytes_;
};

}  // namespace keyhold

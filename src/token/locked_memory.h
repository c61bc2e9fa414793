// Memory for the one secret that passes through the service in a form that tells more than its
// content: an RSA block whose padding is not yet removed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace keyhold::token {

/// Pages of their own that are not swapped, not dumped, not inherited, and wiped in the end.
class LockedMemory {
 public:
  /// Nothing where the process may lock no more memory.
  static std::optional<LockedMemory> take(std::size_t size);
  LockedMemory(LockedMemory&& other) noexcept;
  LockedMemory& operator=(LockedMemory&&) = delete;
  ~LockedMemory();

  std::span<std::uint8_t> bytes() const { return {data_, size_}; }

 private:
  LockedMemory(std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}
  std::uint8_t* data_;
  std::size_t size_;
};

}  // namespace keyhold::token

#include "token/locked_memory.h"

#include <sys/mman.h>

#include <utility>

#include "base/secret.h"

namespace keyhold::token {

std::optional<LockedMemory> LockedMemory::take(std::size_t size) {
  void* pages = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return std::nullopt;
  if (::mlock(pages, size) != 0 || ::madvise(pages, size, MADV_DONTDUMP) != 0 ||
      ::madvise(pages, size, MADV_DONTFORK) != 0) {
    ::munmap(pages, size);
    return std::nullopt;
  }
  return LockedMemory(static_cast<std::uint8_t*>(pages), size);
}

LockedMemory::LockedMemory(LockedMemory&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

LockedMemory::~LockedMemory() {
  if (data_ == nullptr) return;
  wipe(data_, size_);
  ::munmap(data_, size_);
}

}  // namespace keyhold::token

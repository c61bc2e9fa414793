// A list inside a constexpr row of a table.
#pragma once

#include <array>
#include <cstddef>
#include <initializer_list>

namespace keyhold {

/// A constexpr list of at most kCapacity elements, so that rows need no arrays beside them.
template <typename T, std::size_t kCapacity>
class ShortList {
 public:
  constexpr ShortList() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): rows list elements in braces.
  constexpr ShortList(std::initializer_list<T> elements) {
    for (const T& element : elements) elements_.at(size_++) = element;
  }
  constexpr const T* begin() const { return elements_.data(); }
  constexpr const T* end() const { return elements_.data() + size_; }
  constexpr std::size_t size() const { return size_; }
  constexpr const T& operator[](std::size_t index) const { return elements_.at(index); }
  constexpr bool contains(const T& wanted) const {
    for (const T& element : *this) {
      if (element == wanted) return true;
    }
    return false;
  }

 private:
  std::array<T, kCapacity> elements_{};
  std::size_t size_ = 0;
};

}  // namespace keyhold

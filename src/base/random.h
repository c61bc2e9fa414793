// Random bytes from the kernel. IVs, salts and secrets are drawn per use, never from a buffer or
// generator in user space, because a restored snapshot of a virtual machine must not repeat one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

namespace keyhold {

class Random {
 public:
  virtual ~Random() = default;
  /// Fills `out`. Does not fail: without randomness the process ends.
  virtual void fill(std::span<std::uint8_t> out) = 0;
};

/// getrandom(2).
class SystemRandom final : public Random {
 public:
  void fill(std::span<std::uint8_t> out) override;
};

/// The kernel's bytes, drawn a page at a time: for ids of requests and events alone, which are not
/// secret and may repeat after a restored snapshot. One thread's.
class BufferedRandom final : public Random {
 public:
  void fill(std::span<std::uint8_t> out) override;

 private:
  std::array<std::uint8_t, 4096> buffer_{};
  std::size_t next_ = buffer_.size();
};

}  // namespace keyhold

// Random bytes from the kernel, per use: never from a buffer or generator in user space, because a
// restored snapshot of a virtual machine must not repeat an IV or a salt.
#pragma once

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

}  // namespace keyhold

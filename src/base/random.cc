#include "base/random.h"

#include <sys/random.h>

#include <cerrno>
#include <cstdlib>

namespace keyhold {

void SystemRandom::fill(std::span<std::uint8_t> out) {
  while (!out.empty()) {
    const auto got = ::getrandom(out.data(), out.size(), 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      std::abort();  // going on without randomness would repeat IVs
    }
    out = out.subspan(static_cast<std::size_t>(got));
  }
}

void BufferedRandom::fill(std::span<std::uint8_t> out) {
  for (std::uint8_t& byte : out) {
    if (next_ == buffer_.size()) {
      SystemRandom().fill(buffer_);
      next_ = 0;
    }
    byte = buffer_.at(next_++);
  }
}

}  // namespace keyhold

// What systemd is told of the process (sd_notify's protocol, by a few lines of our own: libsystemd
// would be a library in a process that holds secrets, for one datagram).
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace keyhold::app {

enum class Supervised : std::uint8_t { kNo, kYes };

class Supervisor {
 public:
  /// Takes NOTIFY_SOCKET and WATCHDOG_USEC out of the environment, before there are threads.
  Supervisor();

  /// `READY=1`, `STOPPING=1`, `WATCHDOG=1`, `STATUS=…`; several lines may come together. Without a
  /// supervisor nothing happens.
  void notify(std::string_view state) const;

  /// Whether somebody starts the process again when it ends.
  Supervised supervised() const { return socket_.empty() ? Supervised::kNo : Supervised::kYes; }

  /// How often WATCHDOG=1 is to be sent: half of what systemd waits for. Nothing: it waits for
  /// none.
  std::optional<std::chrono::milliseconds> watchdog_interval() const { return interval_; }

 private:
  std::string socket_;
  std::optional<std::chrono::milliseconds> interval_;
};

}  // namespace keyhold::app

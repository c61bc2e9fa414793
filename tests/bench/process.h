// A server as a process of its own, so that its CPU time and memory can be told from the client's.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace keyhold::bench {

class Process {
 public:
  using Environment = std::vector<std::pair<std::string, std::string>>;

  /// Starts the program and waits for the line that begins with `ready`. Throws std::runtime_error
  /// with what it said when it ends before.
  Process(const std::vector<std::string>& arguments, const std::string& ready,
          const Environment& environment = {});
  ~Process();  ///< SIGTERM, and waits
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t id() const { return id_; }
  /// All it printed until it was ready.
  const std::string& output() const { return output_; }
  double cpu_seconds() const;
  std::uint64_t resident_bytes() const;
  /// From its start until it was ready.
  double start_seconds() const { return start_seconds_; }

 private:
  pid_t id_ = -1;
  int out_ = -1;
  std::string output_;
  double start_seconds_ = 0;
};

}  // namespace keyhold::bench

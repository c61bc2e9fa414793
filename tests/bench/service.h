// A Keyhold in dev mode on a folder in memory, with one key, and requests for it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "load.h"
#include "process.h"

namespace keyhold::bench {

/// Where the programs of the build are.
struct Programs {
  std::filesystem::path keyhold;
  std::filesystem::path bare_server;
  std::filesystem::path bare_token;
  std::filesystem::path decisions;
  std::filesystem::path allocations;  ///< to preload
};

/// The string member of that name in a flat JSON answer.
std::string member(const std::string& json, const std::string& name);

/// A folder in memory of the bench's own, removed at the end.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

class Service {
 public:
  /// An operation that ends at the signature check: everything before the dispatcher, and an error.
  static constexpr const char* kRefused = "(refused signature)";

  Service(const Programs& programs, Transport transport, std::vector<std::string> settings = {},
          Process::Environment environment = {});

  /// Ends it and starts it again on the same data; the settings replace those before.
  void restart(std::vector<std::string> settings);

  std::string create_key() const;
  std::string body(const std::string& operation) const { return body(operation, key_); }
  std::string body(const std::string& operation, const std::string& key) const;
  std::string request(const std::string& operation) const {
    return request(operation, body(operation));
  }
  std::string request(const std::string& operation, const std::string& body) const;
  std::string call(const std::string& operation, const std::string& body) const;

  std::uint16_t port() const { return port_; }
  Transport transport() const { return transport_; }
  const Process& process() const { return *process_; }

 private:
  void start(const std::vector<std::string>& settings);
  std::string host() const { return "127.0.0.1:" + std::to_string(port_); }

  const Programs programs_;
  const Transport transport_;
  const Process::Environment environment_;
  ScratchFolder folder_;  // before the process, which ends first
  std::unique_ptr<Process> process_;
  std::uint16_t port_ = 0;
  std::string key_;
  std::string ciphertext_;
};

/// The bare HTTP server, whose answers have the size given.
class BareServer {
 public:
  BareServer(const Programs& programs, Transport transport, std::size_t answer_size,
             const Process::Environment& environment = {});
  std::uint16_t port() const { return port_; }
  const Process& process() const { return process_; }

 private:
  Process process_;
  std::uint16_t port_;
};

}  // namespace keyhold::bench

// The service's own door for its operator on the same machine: commands that need the token go
// through the running service, because a second login beside it can empty SoftHSM's token.object.
//
// A unix socket of mode 0600; whoever connects must be the service's own user or root. One request
// of one line of JSON, one answer of one line, then the connection closes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include "app/identity_change.h"
#include "base/json.h"
#include "base/result.h"

namespace keyhold::app {

/// Answers a command (the request's member `command`) with one JSON object; an error's message is
/// shown to the operator.
using ControlHandler = std::function<Result<std::string>(
    const Operator& by, std::string_view command, const json::Value& request)>;

class ControlSocket {
 public:
  /// Listens at `path`, replacing a socket that a killed process left. kValidation with a sentence
  /// if that is not possible.
  static Result<std::unique_ptr<ControlSocket>> open(const std::filesystem::path& path,
                                                     ControlHandler handler);
  ~ControlSocket();
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;

 private:
  ControlSocket(std::filesystem::path path, int listener, int stop_reader, int stop_writer,
                ControlHandler handler);
  void serve();
  void answer(int connection);

  const std::filesystem::path path_;
  const int listener_;
  const int stop_reader_;
  const int stop_writer_;
  const ControlHandler handler_;
  std::thread thread_;
};

/// Whether a service listens at the socket now.
enum class Listening : std::uint8_t { kNo, kYes };
Listening service_listens(const std::filesystem::path& socket);

/// Asks the service behind the socket; its answer as JSON text. kValidation with a sentence if no
/// service answers there, or with the service's own message.
Result<std::string> ask_service(const std::filesystem::path& socket, std::string_view request);

}  // namespace keyhold::app

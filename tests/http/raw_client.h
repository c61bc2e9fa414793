// A blocking client that sends exactly the bytes it is given.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace keyhold::http {

struct ClientResponse {
  int status = 0;
  std::string status_line;
  std::vector<std::pair<std::string, std::string>> headers;  // as received, in order
  std::string body;

  /// The value of the only field of that name; nothing if there is none, or more than one.
  std::optional<std::string> header(std::string_view name) const;
};

class RawClient {
 public:
  /// A socket that is not connected yet.
  RawClient();
  /// Connects to 127.0.0.1.
  explicit RawClient(std::uint16_t port) : RawClient() { connect(port); }
  ~RawClient();
  RawClient(RawClient&& other) noexcept
      : socket_(std::exchange(other.socket_, -1)), received_(std::move(other.received_)) {}
  RawClient& operator=(RawClient&&) = delete;

  bool connect(std::uint16_t port);
  void limit_receive_buffer(int bytes);  // before connect()

  /// Whether all bytes could be handed to the system.
  bool send(std::string_view bytes);
  void finish_sending();  // FIN

  /// The next answer, its body framed by Content-Length (none after a HEAD, if told so); nothing
  /// when the connection ends before it is whole, or nothing comes within the time.
  enum class Body : std::uint8_t { kByLength, kNone };
  std::optional<ClientResponse> receive(Body body = Body::kByLength);
  /// Exactly that many bytes, or fewer when the connection ends.
  std::string receive_bytes(std::size_t count);

  /// Whether the server ends the connection within the time, with nothing more said before.
  bool is_closed_within(std::chrono::milliseconds time);

  int descriptor() const { return socket_; }

 private:
  bool read_more(std::chrono::milliseconds time);

  int socket_ = -1;
  std::string received_;
};

/// "POST / HTTP/1.1" with Host, Content-Length and `body`.
std::string post(std::string_view body, std::string_view more_headers = {});

}  // namespace keyhold::http

#include "raw_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "http/message.h"

namespace keyhold::http {
namespace {

// Longer than anything takes, under a sanitizer on a busy machine too.
constexpr std::chrono::milliseconds kPatience{20'000};

}  // namespace

std::optional<std::string> ClientResponse::header(std::string_view name) const {
  std::optional<std::string> found;
  for (const auto& [field, value] : headers) {
    if (!same_name(field, name)) continue;
    if (found) return std::nullopt;
    found = value;
  }
  return found;
}

RawClient::RawClient() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}

RawClient::~RawClient() {
  if (socket_ >= 0) ::close(socket_);
}

bool RawClient::connect(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return ::connect(socket_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

void RawClient::limit_receive_buffer(int bytes) {
  ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

bool RawClient::send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

void RawClient::finish_sending() { ::shutdown(socket_, SHUT_WR); }

bool RawClient::read_more(std::chrono::milliseconds time) {
  pollfd poll{socket_, POLLIN, 0};
  if (::poll(&poll, 1, static_cast<int>(time.count())) != 1) return false;
  std::array<char, 16384> buffer;
  const ssize_t count = ::recv(socket_, buffer.data(), buffer.size(), 0);
  if (count <= 0) return false;
  received_.append(buffer.data(), static_cast<std::size_t>(count));
  return true;
}

std::optional<ClientResponse> RawClient::receive(Body body) {
  std::size_t end = 0;
  while ((end = received_.find("\r\n\r\n")) == std::string::npos) {
    if (!read_more(kPatience)) return std::nullopt;
  }
  ClientResponse response;
  std::string_view head = std::string_view(received_).substr(0, end);
  const std::size_t first_line = head.find("\r\n");
  response.status_line = std::string(head.substr(0, first_line));
  if (response.status_line.size() < 12) return std::nullopt;
  response.status = std::atoi(response.status_line.c_str() + 9);
  head.remove_prefix(first_line == std::string_view::npos ? head.size() : first_line + 2);
  while (!head.empty()) {
    const std::string_view line = head.substr(0, head.find("\r\n"));
    head.remove_prefix(std::min(head.size(), line.size() + 2));
    const std::size_t colon = line.find(": ");
    if (colon == std::string_view::npos) return std::nullopt;
    response.headers.emplace_back(line.substr(0, colon), line.substr(colon + 2));
  }
  received_.erase(0, end + 4);
  if (body == Body::kNone || response.status < 200) return response;
  const std::optional<std::string> length = response.header("Content-Length");
  if (!length) return std::nullopt;
  const std::size_t size = std::strtoul(length->c_str(), nullptr, 10);
  response.body = receive_bytes(size);
  if (response.body.size() != size) return std::nullopt;
  return response;
}

std::string RawClient::receive_bytes(std::size_t count) {
  while (received_.size() < count && read_more(kPatience)) {
  }
  std::string bytes = received_.substr(0, count);
  received_.erase(0, bytes.size());
  return bytes;
}

bool RawClient::is_closed_within(std::chrono::milliseconds time) {
  pollfd poll{socket_, POLLIN, 0};
  if (!received_.empty() || ::poll(&poll, 1, static_cast<int>(time.count())) != 1) return false;
  return !read_more(std::chrono::milliseconds(0)) && received_.empty();
}

std::string post(std::string_view body, std::string_view more_headers) {
  return "POST / HTTP/1.1\r\nHost: localhost\r\n" + std::string(more_headers) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

}  // namespace keyhold::http

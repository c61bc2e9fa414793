#include "app/control_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <span>
#include <string>
#include <system_error>

#include "base/log.h"

namespace keyhold::app {
namespace {

constexpr std::size_t kMaxRequest = 1024UL * 1024;  // a principal with its policies
constexpr std::size_t kMaxAnswer = 64UL * 1024 * 1024;
constexpr int kReadTimeoutMs = 5000;
// Reconcile compares every key material of the token.
constexpr int kAnswerTimeoutMs = 600'000;

Error failed(std::string_view what) {
  return Error(ErrorCode::kValidation,
               std::string(what) + ": " + std::generic_category().message(errno));
}

Result<sockaddr_un> address_of(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const std::string text = path.string();
  if (text.size() >= sizeof address.sun_path) {
    return Error(ErrorCode::kValidation,
                 "the path " + text + " is too long for a socket; choose a shorter folder");
  }
  std::memcpy(address.sun_path, text.c_str(), text.size() + 1);
  return address;
}

/// Reads up to a newline or the end; nothing after a timeout, an error or too much.
std::optional<std::string> read_line(int connection, std::size_t limit, int timeout_ms) {
  std::string line;
  char buffer[4096];
  while (line.size() <= limit) {
    pollfd waiting{connection, POLLIN, 0};
    if (::poll(&waiting, 1, timeout_ms) <= 0) return std::nullopt;
    const auto got = ::read(connection, buffer, sizeof buffer);
    if (got < 0) return std::nullopt;
    if (got == 0) return line;
    line.append(buffer, static_cast<std::size_t>(got));
    if (line.back() == '\n') {
      line.pop_back();
      return line;
    }
  }
  return std::nullopt;
}

bool write_all(int connection, std::string_view text) {
  while (!text.empty()) {
    const auto sent = ::send(connection, text.data(), text.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

/// The peer, if it is the service's own user or root. The socket's mode says the same; this holds
/// even where somebody changed the mode.
std::optional<Operator> allowed_peer(int connection) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
  if (peer.uid != 0 && peer.uid != ::geteuid()) return std::nullopt;
  return Operator{peer.uid};
}

std::string error_line(std::string_view message) {
  json::Writer writer;
  writer.begin_object().key("error").string(message).end_object();
  return std::string(writer.text());
}

}  // namespace

Result<std::unique_ptr<ControlSocket>> ControlSocket::open(const std::filesystem::path& path,
                                                           ControlHandler handler) {
  TRY_ASSIGN(const sockaddr_un address, address_of(path));
  ::unlink(path.c_str());  // the data folder's lock says that no other process listens here
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0) return failed("cannot make a socket");
  if (::bind(listener, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::chmod(path.c_str(), 0600) != 0 || ::listen(listener, 16) != 0) {
    auto error = failed("cannot listen at " + path.string());
    ::close(listener);
    return error;
  }
  int stop[2];
  if (::pipe2(stop, O_CLOEXEC) != 0) {
    auto error = failed("cannot make a pipe");
    ::close(listener);
    return error;
  }
  return std::unique_ptr<ControlSocket>(
      new ControlSocket(path, listener, stop[0], stop[1], std::move(handler)));
}

ControlSocket::ControlSocket(std::filesystem::path path, int listener, int stop_reader,
                             int stop_writer, ControlHandler handler)
    : path_(std::move(path)),
      listener_(listener),
      stop_reader_(stop_reader),
      stop_writer_(stop_writer),
      handler_(std::move(handler)),
      thread_([this] { serve(); }) {}

ControlSocket::~ControlSocket() {
  ::close(stop_writer_);
  thread_.join();
  ::close(stop_reader_);
  ::close(listener_);
  ::unlink(path_.c_str());
}

void ControlSocket::serve() {
  while (true) {
    pollfd waiting[2] = {{listener_, POLLIN, 0}, {stop_reader_, POLLIN, 0}};
    if (::poll(waiting, 2, -1) < 0 && errno != EINTR) return;
    if (waiting[1].revents != 0) return;
    if ((waiting[0].revents & POLLIN) == 0) continue;
    const int connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) continue;
    answer(connection);
    ::close(connection);
  }
}

void ControlSocket::answer(int connection) {
  const auto by = allowed_peer(connection);
  if (!by) {
    log::warning("refused a connection to the control socket from another user");
    return;
  }
  auto line = read_line(connection, kMaxRequest, kReadTimeoutMs);
  if (!line) return;
  std::string request = std::move(*line);  // parsing changes the text
  const std::span<std::uint8_t> text(reinterpret_cast<std::uint8_t*>(request.data()),
                                     request.size());
  const auto document = json::Document::parse(text);
  std::string reply;
  if (!document) {
    reply = error_line("the request is not JSON");
  } else {
    const auto root = document->root();
    const auto command = root.member("command");
    const auto name = command ? command->string() : std::nullopt;
    const auto result =
        name ? handler_(*by, *name, root)
             : Result<std::string>(Error(ErrorCode::kValidation, "the request names no command"));
    reply = result ? *result : error_line(result.error().message());
  }
  write_all(connection, reply + "\n");
}

Listening service_listens(const std::filesystem::path& socket) {
  const auto address = address_of(socket);
  if (!address) return Listening::kNo;
  const int connection = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connection < 0) return Listening::kNo;
  const bool connected =
      ::connect(connection, reinterpret_cast<const sockaddr*>(&*address), sizeof(sockaddr_un)) == 0;
  ::close(connection);
  return connected ? Listening::kYes : Listening::kNo;
}

Result<std::string> ask_service(const std::filesystem::path& socket, std::string_view request) {
  TRY_ASSIGN(const sockaddr_un address, address_of(socket));
  const int connection = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (connection < 0) return failed("cannot make a socket");
  struct Closer {
    int fd;
    ~Closer() { ::close(fd); }
  } closer{connection};
  if (::connect(connection, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    if (errno == EACCES) return failed("cannot ask the service at " + socket.string());
    return Error(ErrorCode::kValidation, "no service answers at " + socket.string());
  }
  if (!write_all(connection, std::string(request) + "\n")) return failed("cannot ask the service");
  auto line = read_line(connection, kMaxAnswer, kAnswerTimeoutMs);
  if (!line || line->empty()) {
    return Error(ErrorCode::kValidation, "the service gave no answer");
  }
  std::string copy = *line;  // parsing changes the text
  const auto document =
      json::Document::parse(std::span(reinterpret_cast<std::uint8_t*>(copy.data()), copy.size()));
  if (!document) return Error(ErrorCode::kValidation, "the service's answer is not JSON");
  if (const auto error = document->root().member("error")) {
    return Error(ErrorCode::kValidation, std::string(error->string().value_or("unknown error")));
  }
  return *line;
}

}  // namespace keyhold::app

#include "load.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>
#include <memory>
#include <stdexcept>
#include <thread>

namespace keyhold::bench {
namespace {

using Clock = std::chrono::steady_clock;

double thread_cpu_seconds() {
  std::timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

SSL_CTX* tls_context() {
  // The certificate is the bench's own, made a moment ago, and nothing secret is sent.
  static SSL_CTX* const context = SSL_CTX_new(TLS_client_method());
  return context;
}

/// An answer as its bytes come in.
class AnswerReader {
 public:
  /// Whether the answer is complete with these bytes.
  bool take(std::string_view bytes) {
    if (head_.empty() || !in_body_) {
      head_.append(bytes);
      const std::size_t end = head_.find("\r\n\r\n");
      if (end == std::string::npos) return false;
      in_body_ = true;
      status_ = head_.substr(9, 3);
      missing_ = content_length() + end + 4;
      received_ = head_.size();
    } else {
      received_ += bytes.size();
      if (keep_body_) head_.append(bytes);
    }
    return received_ >= missing_;
  }
  void keep_body() { keep_body_ = true; }
  bool has_status(int wanted) const { return status_ == std::to_string(wanted); }
  std::string body() const { return head_.substr(head_.find("\r\n\r\n") + 4); }
  std::string_view status() const { return status_; }
  void reset() {
    head_.clear();
    in_body_ = false;
  }

 private:
  std::size_t content_length() const {
    constexpr std::string_view kName = "\r\nContent-Length: ";
    const std::size_t at = head_.find(kName);
    std::size_t length = 0;
    if (at != std::string::npos) {
      std::from_chars(head_.data() + at + kName.size(), head_.data() + head_.size(), length);
    }
    return length;
  }

  std::string head_;
  std::string status_;
  std::size_t missing_ = 0;
  std::size_t received_ = 0;
  bool in_body_ = false;
  bool keep_body_ = false;
};

class Connection {
 public:
  Connection(std::uint16_t port, Transport transport) {
    socket_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
      throw std::runtime_error("cannot connect to port " + std::to_string(port));
    }
    const int on = 1;
    ::setsockopt(socket_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (transport == Transport::kTls) {
      tls_ = SSL_new(tls_context());
      SSL_set_fd(tls_, socket_);
      if (SSL_connect(tls_) != 1) throw std::runtime_error("no TLS handshake");
    }
  }
  ~Connection() {
    if (tls_ != nullptr) SSL_free(tls_);
    ::close(socket_);
  }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  int socket() const { return socket_; }

  /// Requests are small: the socket takes them whole.
  void send(std::string_view request) {
    if (tls_ != nullptr) {
      SSL_write(tls_, request.data(), static_cast<int>(request.size()));
    } else {
      while (!request.empty()) {
        const ssize_t sent = ::send(socket_, request.data(), request.size(), MSG_NOSIGNAL);
        if (sent <= 0) return;  // seen when nothing comes back
        request.remove_prefix(static_cast<std::size_t>(sent));
      }
    }
    sent_at = Clock::now();
  }

  enum class Got : std::uint8_t { kPart, kAnswer, kEnd };
  Got receive() {
    std::array<char, 16384> bytes;
    for (;;) {
      const int count = tls_ != nullptr
                            ? SSL_read(tls_, bytes.data(), static_cast<int>(bytes.size()))
                            : static_cast<int>(::recv(socket_, bytes.data(), bytes.size(), 0));
      if (count <= 0) return Got::kEnd;
      if (reader.take({bytes.data(), static_cast<std::size_t>(count)})) return Got::kAnswer;
      if (tls_ == nullptr || SSL_pending(tls_) == 0) return Got::kPart;
    }
  }

  AnswerReader reader;
  Clock::time_point sent_at;
  std::size_t next = 0;

 private:
  int socket_;
  SSL* tls_ = nullptr;
};

LoadOutcome run_thread(const LoadPlan& plan, std::size_t connections, std::size_t first,
                       Clock::time_point until) {
  LoadOutcome outcome;
  outcome.waits.reserve(1U << 18);
  const int poll = ::epoll_create1(EPOLL_CLOEXEC);
  std::vector<std::unique_ptr<Connection>> open;
  for (std::size_t i = 0; i < connections; ++i) {
    open.push_back(std::make_unique<Connection>(plan.port, plan.transport));
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.ptr = open.back().get();
    ::epoll_ctl(poll, EPOLL_CTL_ADD, open.back()->socket(), &event);
    open.back()->next = (first + i) * 7919 % plan.requests.size();
  }
  const auto send_next = [&](Connection& connection) {
    connection.reader.reset();
    connection.send(plan.requests[connection.next]);
    connection.next = (connection.next + 1) % plan.requests.size();
  };
  for (const auto& connection : open) send_next(*connection);
  std::array<epoll_event, 64> events;
  std::size_t living = open.size();
  for (auto now = Clock::now(); now < until && living > 0; now = Clock::now()) {
    const int count = ::epoll_wait(poll, events.data(), events.size(), 100);
    for (int i = 0; i < count; ++i) {
      auto& connection = *static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
      const auto got = connection.receive();
      if (got == Connection::Got::kPart) continue;
      if (got == Connection::Got::kEnd) {
        ++outcome.bad;
        ::epoll_ctl(poll, EPOLL_CTL_DEL, connection.socket(), nullptr);
        --living;
        continue;
      }
      const auto waited =
          std::chrono::duration_cast<std::chrono::nanoseconds>(Clock::now() - connection.sent_at)
              .count() /
          100;
      if (connection.reader.has_status(plan.wanted_status)) {
        ++outcome.answers;
        outcome.waits.push_back(static_cast<std::uint32_t>(waited));
      } else {
        ++outcome.bad;
      }
      send_next(connection);
    }
  }
  ::close(poll);
  return outcome;
}

}  // namespace

double LoadOutcome::percentile(double part) const {
  if (waits.empty()) return 0;
  const auto at = static_cast<std::size_t>(part * static_cast<double>(waits.size() - 1));
  return waits[at] / 10.0;
}

LoadOutcome run_load(const LoadPlan& plan) {
  const std::size_t threads = std::min(plan.threads, plan.connections);
  const auto start = Clock::now();
  const auto until = start + plan.time;
  std::vector<LoadOutcome> parts(threads);
  std::vector<double> cpu(threads);
  std::vector<std::thread> running;
  for (std::size_t i = 0; i < threads; ++i) {
    const std::size_t share = plan.connections / threads + (i < plan.connections % threads ? 1 : 0);
    running.emplace_back([&, i, share] {
      try {
        parts[i] = run_thread(plan, share, i * share, until);
      } catch (const std::exception&) {
        parts[i].bad += share;
      }
      cpu[i] = thread_cpu_seconds();
    });
  }
  LoadOutcome all;
  double client_cpu = 0;
  for (std::size_t i = 0; i < threads; ++i) {
    running[i].join();
    all.answers += parts[i].answers;
    all.bad += parts[i].bad;
    all.waits.insert(all.waits.end(), parts[i].waits.begin(), parts[i].waits.end());
    client_cpu += cpu[i];
  }
  all.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  std::ranges::sort(all.waits);
  if (all.answers > 0) all.client_cpu_us = client_cpu * 1e6 / static_cast<double>(all.answers);
  return all;
}

std::string ask(std::uint16_t port, Transport transport, std::string_view request) {
  Connection connection(port, transport);
  connection.reader.keep_body();
  connection.send(request);
  for (;;) {
    const auto got = connection.receive();
    if (got == Connection::Got::kEnd) throw std::runtime_error("no answer");
    if (got == Connection::Got::kAnswer) break;
  }
  std::string body = connection.reader.body();
  if (!connection.reader.has_status(200)) {
    throw std::runtime_error("status " + std::string(connection.reader.status()) + ": " + body);
  }
  return body;
}

}  // namespace keyhold::bench

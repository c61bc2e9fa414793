// What a connection reads from and writes to: a socket, or TLS over one. Private to http: includes
// Asio, so server.cc alone includes it.
#pragma once

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <array>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "base/secret.h"
#include "http/tls.h"

namespace keyhold::http {

namespace asio = boost::asio;
using boost::system::error_code;

using Executor = asio::io_context::executor_type;
using UseAwaitable = asio::use_awaitable_t<Executor>;
template <typename T>
using Awaitable = asio::awaitable<T, Executor>;
using Socket = asio::basic_stream_socket<asio::ip::tcp, Executor>;

/// Whether both sides are ready to talk, or bytes were sent.
enum class Sent : std::uint8_t { kYes, kNo };

class PlainStream {
 public:
  explicit PlainStream(Socket socket) : socket_(std::move(socket)) {}

  Socket& socket() { return socket_; }
  /// Nothing has to be agreed on.
  static constexpr bool kHasHandshake = false;
  Awaitable<Sent> shake_hands() { co_return Sent::kYes; }
  TlsFacts facts() const { return {}; }

  /// How many bytes came; 0 at the end, however it came.
  Awaitable<std::size_t> read(std::span<std::uint8_t> room) {
    error_code error;
    const std::size_t count = co_await socket_.async_read_some(
        asio::buffer(room.data(), room.size()), asio::redirect_error(UseAwaitable(), error));
    co_return error ? 0 : count;
  }

  Awaitable<Sent> write(std::string_view head, ByteView body) {
    error_code error;
    const std::array<asio::const_buffer, 2> buffers = {asio::buffer(head.data(), head.size()),
                                                       asio::buffer(body.data(), body.size())};
    co_await asio::async_write(socket_, buffers, asio::redirect_error(UseAwaitable(), error));
    co_return error ? Sent::kNo : Sent::kYes;
  }

 private:
  Socket socket_;
};

/// OpenSSL writes to the socket itself, which does not block, and reads what arrived from there:
/// bytes are copied less often than through Asio's own stream, and an idle connection holds little.
class TlsStream {
 public:
  TlsStream(Socket socket, std::unique_ptr<Arrivals> arrivals, SslPtr connection)
      : socket_(std::move(socket)),
        arrivals_(std::move(arrivals)),
        connection_(std::move(connection)) {
    error_code ignored;
    // NOLINTNEXTLINE(bugprone-unused-return-value): the same as `ignored`
    socket_.native_non_blocking(true, ignored);
  }

  Socket& socket() { return socket_; }
  static constexpr bool kHasHandshake = true;
  TlsFacts facts() const { return facts_of(*connection_); }

  Awaitable<Sent> shake_hands() {
    const auto step = [this] { return SSL_do_handshake(connection_.get()); };
    forget_errors();
    int done = step();
    if (done <= 0) done = co_await until_done(step, done);
    co_return done > 0 ? Sent::kYes : Sent::kNo;
  }

  Awaitable<std::size_t> read(std::span<std::uint8_t> room) {
    // Between two requests there is nothing, which OpenSSL would find out at some cost.
    if (arrivals_->empty() && SSL_has_pending(connection_.get()) == 0) {
      const bool received = co_await receive();
      if (!received) co_return 0;
    }
    const auto step = [this, room] {
      return SSL_read(connection_.get(), room.data(), static_cast<int>(room.size()));
    };
    forget_errors();
    int count = step();
    if (count <= 0) count = co_await until_done(step, count);
    co_return count > 0 ? static_cast<std::size_t>(count) : 0;
  }

  Awaitable<Sent> write(std::string_view head, ByteView body) {
    // One record costs less than two, and is one packet.
    record_.clear();
    append(record_, as_bytes(head));
    append(record_, body);
    std::span<const std::uint8_t> rest = record_;
    bool going = true;
    while (going && !rest.empty()) {
      const auto step = [this, rest] {
        return SSL_write(connection_.get(), rest.data(), static_cast<int>(rest.size()));
      };
      forget_errors();
      int count = step();
      if (count <= 0) count = co_await until_done(step, count);
      going = count > 0;
      if (going) rest = rest.subspan(static_cast<std::size_t>(count));
    }
    wipe(record_.data(), record_.size());
    if (record_.capacity() > kKept) Wiped<std::uint8_t>().swap(record_);
    co_return going ? Sent::kYes : Sent::kNo;
  }

 private:
  static constexpr std::size_t kKept = 16UL * 1024;

  /// SSL_get_error takes whatever is in the thread's queue for the connection's. Looking is cheaper
  /// than clearing.
  static void forget_errors() {
    if (ERR_peek_error() != 0) ERR_clear_error();
  }

  // The step's answer when it is neither "wait to read" nor "wait to write", which `answer`, its
  // first one, may be.
  template <typename Step>
  Awaitable<int> until_done(Step step, int answer) {
    while (answer <= 0) {
      const int wanted = SSL_get_error(connection_.get(), answer);
      bool ready = false;
      if (wanted == SSL_ERROR_WANT_READ) {
        ready = co_await receive();
      } else if (wanted == SSL_ERROR_WANT_WRITE) {
        error_code error;
        co_await socket_.async_wait(Socket::wait_write,
                                    asio::redirect_error(UseAwaitable(), error));
        ready = !error;
      }
      if (!ready) co_return 0;
      forget_errors();
      answer = step();
    }
    co_return answer;
  }

  /// Whether more has arrived.
  Awaitable<bool> receive() {
    const std::span<std::uint8_t> room = arrivals_->room();
    error_code error;
    const std::size_t count = co_await socket_.async_read_some(
        asio::buffer(room.data(), room.size()), asio::redirect_error(UseAwaitable(), error));
    if (error) co_return false;
    arrivals_->commit(count);
    co_return count > 0;
  }

  Socket socket_;
  std::unique_ptr<Arrivals> arrivals_;
  SslPtr connection_;  // reads from the arrivals
  Wiped<std::uint8_t> record_;
};

}  // namespace keyhold::http

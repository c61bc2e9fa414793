// An HTTP/1.1 server for one synchronous handler: the only sockets and the only coroutines.
//
// A connection is a coroutine on one of the io threads. A complete request is answered there or by
// a worker, as its weight and the options say. Requests of one connection are answered one by one
// and in order, so a client that pipelines waits for itself alone.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "http/message.h"
#include "http/tls.h"

namespace keyhold::http {

/// Answers a request; called on worker and io threads, by many at once. What it throws is a bug,
/// which the caller of the service sees as ProtocolError::kInternal.
using Handler = std::function<Response(Request&)>;

/// Answers a request for which the server has no room: the queue of the pool is full, or the bodies
/// of all requests together pass their limit (then the body is empty and the connection closes).
/// Called on an io thread, so it must neither block nor take long.
using OverloadHandler = std::function<Response(Request&)>;

/// Puts the server's own refusals into words. Called on io and worker threads; must not block.
using ProtocolErrorRenderer = std::function<Response(ProtocolError)>;

/// Light work is done in microseconds and waits for nothing but, briefly, a token; heavy work waits
/// for disks. They have workers of their own, so that heavy work never occupies all of them.
enum class Weight : std::uint8_t { kLight, kHeavy };

/// Where light work is done.
enum class LightWork : std::uint8_t {
  kInPool,
  /// On the io thread, which saves waking another one twice; in the pool only while the handler
  /// turns out slow, as with a token at the end of a network.
  kInPlace,
};

struct ServerOptions {
  std::string host = "127.0.0.1";  ///< a numeric address, or a name that has one
  std::uint16_t port = 0;          ///< 0: the system picks one, see Server::port()
  std::size_t io_threads = 2;
  std::size_t worker_threads = 4;        ///< for light work
  std::size_t heavy_worker_threads = 2;  ///< for heavy work
  std::size_t queue_limit = 1024;        ///< requests that wait for a worker, of either kind
  LightWork light_work = LightWork::kInPool;
  /// Tells a request's weight from its head; called on io threads. Without it all are light.
  std::function<Weight(const Request&)> weigh;

  std::optional<TlsOptions> tls;  ///< without it, connections are plain

  std::size_t header_limit = 16UL * 1024;              ///< bytes of request line and fields
  std::size_t body_limit = 1024UL * 1024;              ///< bytes of one body
  std::size_t total_body_limit = 256UL * 1024 * 1024;  ///< bytes of all bodies being held
  /// Beyond it the oldest idle connection is closed for a new one; with none idle, the new one.
  std::size_t max_connections = 10'000;

  /// From the first byte of a request to the last of its fields, and from there to the last of its
  /// body: absolute, so that trickling bytes gain nothing. The connection is then closed.
  std::chrono::milliseconds header_read_timeout{10'000};
  std::chrono::milliseconds body_read_timeout{30'000};
  /// For a whole answer to be taken by the client.
  std::chrono::milliseconds write_timeout{30'000};
  /// Between requests. Longer than the clients' own (60 s is common), so that it is they who close.
  std::chrono::milliseconds idle_timeout{90'000};
  /// After the last answer on a connection: how long the client may go on sending what nobody
  /// reads before the connection is reset, which could lose the answer on its way.
  std::chrono::milliseconds linger_timeout{2'000};

  std::string request_id_header = "x-amzn-RequestId";
  /// Sent with each answer that does not name the same field; the defaults are as recorded of KMS.
  std::vector<ResponseHeader> default_headers = {
      {"Cache-Control", "no-cache, no-store, must-revalidate, private"},
      {"Expires", "0"},
      {"Pragma", "no-cache"},
  };
};

class Server {
 public:
  /// Listens and serves. Errors, each with a sentence for the operator and kValidation: an option
  /// out of its range, an address that cannot be listened on, a port in use. kKmsInternal: an
  /// address that is not this machine's, and may become it.
  static Result<std::unique_ptr<Server>> start(ServerOptions options, Handler handler,
                                               OverloadHandler overload,
                                               ProtocolErrorRenderer protocol_error);

  ~Server();  ///< drain() without grace
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  std::uint16_t port() const;
  std::size_t connections() const;  ///< open now
  std::size_t waiting() const;      ///< requests that wait for a worker now

  /// Uses another certificate, and what else the options hold, for connections that come from now
  /// on; those that are open go on as they are. After an error (as TlsContext::make's, and
  /// kValidation where the server has no TLS) nothing has changed. From any thread.
  Result<void> reload_tls(const TlsOptions& options);

  /// Stops accepting, closes idle connections, lets requests that have begun to arrive be answered
  /// for at most `grace`, and closes what is left. Requests still waiting for a worker then are
  /// dropped; handlers that run are always waited for, since a thread cannot be taken from them.
  /// On return every thread has ended. May be called again; not from a handler.
  void drain(std::chrono::milliseconds grace);

 private:
  struct Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace keyhold::http

// One connection, from the first byte to the last. Private to http: includes Asio, so server.cc
// alone includes it.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <boost/asio/async_result.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <cstdint>
#include <ctime>
#include <exception>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.h"
#include "base/log.h"
#include "base/random.h"
#include "base/secret.h"
#include "base/snapshot.h"
#include "http/message.h"
#include "http/pace.h"
#include "http/request_parser.h"
#include "http/response_writer.h"
#include "http/server.h"
#include "http/stream.h"
#include "http/worker_pool.h"

namespace keyhold::http {

using SteadyTime = std::chrono::steady_clock::time_point;

/// What all connections share. Outlives them.
struct ServerState {
  ServerOptions options;
  Handler handler;
  OverloadHandler overload;
  ProtocolErrorRenderer protocol_error;
  WorkerPool* workers = nullptr;  // for light work that is not done in place
  WorkerPool* heavy_workers = nullptr;

  std::optional<Snapshot<TlsContext>> tls;  // nothing without TLS

  std::atomic<std::size_t> connections{0};
  std::atomic<std::size_t> body_bytes{0};
  std::atomic<bool> draining{false};  // no further request on any connection
  std::atomic<bool> cutting{false};   // no further handler either
};

class ConnectionBase;
using ConnectionList = std::list<ConnectionBase*>;

/// What the connections of one io thread share. Used on that thread alone, so nothing is locked.
struct ThreadState {
  explicit ThreadState(ServerState& shared) : server(shared) {}

  ServerState& server;
  ConnectionList idle;  // the oldest first
  ConnectionList busy;
  HttpDate date;
  BufferedRandom random;
  Pace pace;
  /// When the thread began the work that it does in place; max() while it does none.
  std::atomic<SteadyTime> working_since{SteadyTime::max()};
  std::function<void()> on_connection_end;  // called after a connection is counted out

  bool has_company() const { return idle.size() + busy.size() > 2; }
};

/// A connection as the sweeper sees it: a deadline, and a way to end it.
class ConnectionBase {
 public:
  static constexpr SteadyTime kNever = SteadyTime::max();

  explicit ConnectionBase(ThreadState& thread) : thread_(thread) {
    ++thread.server.connections;
    place_ = thread.busy.insert(thread.busy.end(), this);
  }
  virtual ~ConnectionBase() {
    (idle_ ? thread_.idle : thread_.busy).erase(place_);
    --thread_.server.connections;
    if (thread_.on_connection_end) thread_.on_connection_end();
  }
  ConnectionBase(const ConnectionBase&) = delete;
  ConnectionBase& operator=(const ConnectionBase&) = delete;

  /// Closes the socket: what waits for it ends with an error, and the coroutine with it.
  void cut() {
    is_cut_ = true;
    close();
  }

  /// Cuts an idle connection that has to make room, and is not found idle again.
  void evict() {
    become_busy();
    cut();
  }

  bool expired(SteadyTime now) const { return now >= deadline_; }

 protected:
  /// Between requests, until the idle timeout.
  void become_idle() {
    due_in(thread_.server.options.idle_timeout);
    if (!idle_) thread_.idle.splice(thread_.idle.end(), thread_.busy, place_);
    idle_ = true;
  }
  /// Before the first request: as little is lost if it has to make room as with an idle one.
  void become_guest() {
    become_idle();
    due_in(thread_.server.options.header_read_timeout);
  }
  void become_busy() {
    if (idle_) thread_.busy.splice(thread_.busy.end(), thread_.idle, place_);
    idle_ = false;
  }
  bool is_idle() const { return idle_; }
  bool is_cut() const { return is_cut_; }
  virtual void close() = 0;

  // No timer is armed for this: the io thread's sweeper looks at the stamp now and then.
  void due_in(std::chrono::milliseconds time) {
    deadline_ = std::chrono::steady_clock::now() + time;
  }
  void never_due() { deadline_ = kNever; }

  ThreadState& thread() { return thread_; }
  ServerState& server() { return thread_.server; }

 private:
  ThreadState& thread_;
  ConnectionList::iterator place_;
  SteadyTime deadline_ = kNever;
  bool idle_ = false;
  bool is_cut_ = false;
};

/// Received bytes that are not consumed yet. Consumed ones are wiped.
class ReadBuffer {
 public:
  explicit ReadBuffer(std::size_t limit) : limit_(limit), bytes_(std::min(kInitialSize, limit)) {}

  std::span<const std::uint8_t> unread() const { return {bytes_.data() + begin_, end_ - begin_}; }

  void consume(std::size_t count) {
    wipe(bytes_.data() + begin_, count);
    begin_ += count;
    if (begin_ == end_) begin_ = end_ = 0;
  }

  /// Room for what comes next; empty only when `limit` bytes are unread.
  std::span<std::uint8_t> prepare() {
    if (end_ == bytes_.size()) {
      if (begin_ > 0) {
        std::copy(bytes_.data() + begin_, bytes_.data() + end_, bytes_.data());
        const std::size_t size = end_ - begin_;
        wipe(bytes_.data() + size, end_ - size);
        begin_ = 0;
        end_ = size;
      } else if (bytes_.size() < limit_) {
        bytes_.resize(std::min(2 * bytes_.size(), limit_));
      }
    }
    return {bytes_.data() + end_, bytes_.size() - end_};
  }

  void commit(std::size_t count) { end_ += count; }

 private:
  static constexpr std::size_t kInitialSize = 4096;

  const std::size_t limit_;
  Wiped<std::uint8_t> bytes_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

/// Calls the renderer; an answer that it fails to give, or that cannot be sent, is replaced by the
/// bare status.
inline Response render(const ServerState& server, ProtocolError error) {
  try {
    Response response = server.protocol_error(error);
    if (is_sendable(response, server.options.request_id_header)) return response;
    log::error("the answer to a protocol error cannot be sent");
  } catch (const std::exception& bug) {
    log::error(std::string("rendering a protocol error threw: ") + bug.what());
  }
  Response bare;
  bare.status = default_status(error);
  return bare;
}

/// The answer of the handler, or of kInternal where it has none that can be sent.
inline Response answer(const ServerState& server, const Handler& handler, Request& request) {
  try {
    Response response = handler(request);
    if (is_sendable(response, server.options.request_id_header)) return response;
    log::error("request " + request.request_id + ": the handler's answer cannot be sent");
  } catch (const std::exception& bug) {
    log::error("request " + request.request_id + ": the handler threw: " + bug.what());
  } catch (...) {
    log::error("request " + request.request_id + ": the handler threw no exception but a value");
  }
  return render(server, ProtocolError::kInternal);
}

/// Reads, has answered, and writes, until either side has enough. `Stream` is PlainStream or
/// TlsStream.
template <typename Stream>
class Connection final : public ConnectionBase {
 public:
  Connection(ThreadState& thread, Stream stream, std::string peer_address)
      : ConnectionBase(thread),
        stream_(std::move(stream)),
        parser_({server().options.header_limit, server().options.body_limit}),
        input_(server().options.header_limit) {
    request_.peer_address = std::move(peer_address);
  }
  ~Connection() override { hold_body_memory(0); }

  /// The connection's whole life. The coroutine owns the connection.
  static Awaitable<void> run(std::shared_ptr<Connection> self) {
    bool open = true;
    if constexpr (Stream::kHasHandshake) {
      self->become_guest();
      const Sent agreed = co_await self->stream_.shake_hands();
      open = agreed == Sent::kYes && !self->is_cut();
      if (open) self->request_.tls = self->stream_.facts();
    }
    while (open) open = co_await self->serve_request();
    self->cut();
  }

 private:
  void close() override {
    error_code ignored;
    // NOLINTNEXTLINE(bugprone-unused-return-value): the same as `ignored`
    stream_.socket().close(ignored);
  }

  enum class Arrival : std::uint8_t {
    kRequest,     ///< parser_ holds it
    kRefused,     ///< refusal_ says why
    kOverloaded,  ///< no memory for its body
    kGone,        ///< the client closed, broke off, or was cut
  };

  // Whether the connection goes on.
  Awaitable<bool> serve_request() {
    parser_.reset();
    hold_body_memory(parser_.body_memory());
    const Arrival arrival = co_await receive();
    if (arrival == Arrival::kGone) co_return false;

    request_.request_id = draw_uuid(thread().random);
    parser_.fill(request_);
    never_due();
    AfterAnswer after = AfterAnswer::kClose;
    switch (arrival) {
      case Arrival::kRequest:
        co_await have_answered();
        if (server().cutting) co_return false;
        if (parser_.keep_alive() && !server().draining) after = AfterAnswer::kKeepOpen;
        break;
      case Arrival::kOverloaded:
        response_ = answer(server(), server().overload, request_);
        break;
      case Arrival::kRefused:
        response_ = render(server(), refusal_);
        break;
      case Arrival::kGone:
        break;
    }

    const bool sent = co_await send(after);
    response_ = {};  // wiped now, not when the next answer comes
    if (sent && after == AfterAnswer::kClose) co_await linger();
    co_return sent&& after == AfterAnswer::kKeepOpen;
  }

  Awaitable<Arrival> receive() {
    become_busy();
    bool in_head = true;
    bool in_request = false;  // and its head's deadline is running
    for (;;) {
      while (!input_.unread().empty()) {
        const RequestParser::Step step = parser_.feed(input_.unread());
        input_.consume(step.consumed);
        if (!hold_body_memory(parser_.body_memory())) co_return Arrival::kOverloaded;
        if (step.outcome == RequestParser::Outcome::kComplete) {
          become_busy();
          co_return Arrival::kRequest;
        }
        if (step.outcome == RequestParser::Outcome::kRefused) {
          become_busy();
          refusal_ = step.error;
          co_return Arrival::kRefused;
        }
        if (step.outcome == RequestParser::Outcome::kNeedMore) break;
        become_busy();
        in_head = false;
        in_request = true;
        due_in(server().options.body_read_timeout);
        if (parser_.expects_continue() && input_.unread().empty()) {
          const bool sent = co_await send_continue();
          if (!sent) co_return Arrival::kGone;
        }
      }
      if (in_head && !in_request) {
        if (parser_.started()) {
          in_request = true;
          become_busy();
          due_in(server().options.header_read_timeout);
        } else if (server().draining) {
          co_return Arrival::kGone;
        } else if (!is_idle()) {
          become_idle();
        }
      }
      const bool more = co_await read();
      if (!more) co_return Arrival::kGone;
    }
  }

  Awaitable<bool> read() {
    const std::span<std::uint8_t> room = input_.prepare();
    const std::size_t count = co_await stream_.read(room);
    input_.commit(count);
    // Cut when the bytes were here already: their request must not take effect unanswered.
    co_return count > 0 && !is_cut();
  }

  Awaitable<bool> send_continue() {
    const Sent sent = co_await stream_.write("HTTP/1.1 100 Continue\r\n\r\n", {});
    co_return sent == Sent::kYes;
  }

  // Has the request answered, here or by a worker; see ServerOptions::light_work.
  Awaitable<void> have_answered() {
    const ServerOptions& options = server().options;
    const Weight weight = options.weigh ? options.weigh(request_) : Weight::kLight;
    if (weight == Weight::kLight && options.light_work == LightWork::kInPlace &&
        thread().pace.is_quick()) {
      if (!server().cutting) {
        const SteadyTime start = std::chrono::steady_clock::now();
        thread().working_since.store(start, std::memory_order_relaxed);
        call_handler(start);
        thread().working_since.store(SteadyTime::max(), std::memory_order_relaxed);
      }
      // Answers go out when those of all requests that came together are ready: what wakes a client
      // may take this core from us, and this way it wakes once for many.
      if (thread().has_company()) co_await asio::post(UseAwaitable());
      co_return;
    }
    co_await have_worker_answer(weight == Weight::kHeavy ? *server().heavy_workers
                                                         : *server().workers);
  }

  void call_handler(SteadyTime start) {
    response_ = answer(server(), server().handler, request_);
    thread().pace.note(std::chrono::steady_clock::now() - start);
  }

  // Waits for a worker here, on the io thread. The worker uses request_ and response_ and this
  // coroutine does not, until the completion is posted back.
  Awaitable<void> have_worker_answer(WorkerPool& workers) {
    auto submit = [this, &workers](auto completion) {
      // A task can be copied, a completion cannot; and it must be ended on the io thread.
      auto held = std::make_shared<decltype(completion)>(std::move(completion));
      auto resume = [held, executor = stream_.socket().get_executor()] {
        asio::post(executor, [held] { std::move (*held)(); });
      };
      const WorkerPool::Submitted submitted = workers.submit([this, resume] {
        if (!server().cutting) call_handler(std::chrono::steady_clock::now());
        resume();
      });
      if (submitted == WorkerPool::Submitted::kAccepted) return;
      response_ = answer(server(), server().overload, request_);
      resume();
    };
    UseAwaitable token;
    co_await asio::async_initiate<UseAwaitable, void()>(submit, token);
  }

  Awaitable<bool> send(AfterAnswer after) {
    due_in(server().options.write_timeout);
    HeadContext context;
    context.default_headers = server().options.default_headers;
    context.request_id_name = server().options.request_id_header;
    context.request_id = request_.request_id;
    context.date = thread().date.at(std::time(nullptr));
    context.request_version = parser_.version();
    context.after = after;
    write_head(response_, context, head_);
    const std::size_t body_size =
        has_body(request_.method, response_.status) ? response_.body.size() : 0;
    const Sent sent = co_await stream_.write(head_, response_.body.view().first(body_size));
    co_return sent == Sent::kYes;
  }

  // A socket closed with unread bytes sends a reset, which can overtake the answer and erase it at
  // the client (RFC 9112 section 9.6). So: say that nothing follows, and take what still comes.
  Awaitable<void> linger() {
    due_in(server().options.linger_timeout);
    error_code error;
    // NOLINTNEXTLINE(bugprone-unused-return-value): the same as `error`
    stream_.socket().shutdown(asio::socket_base::shutdown_send, error);
    input_.consume(input_.unread().size());
    for (bool more = !error; more;) {
      more = co_await read();
      input_.consume(input_.unread().size());
    }
  }

  // Counts this connection's body memory with that of all others; whether there was room for it.
  bool hold_body_memory(std::size_t bytes) {
    if (bytes == body_memory_) return true;
    const bool grows = bytes > body_memory_;
    server().body_bytes += bytes - body_memory_;  // modulo arithmetic, so it subtracts, too
    body_memory_ = bytes;
    return !grows || server().body_bytes <= server().options.total_body_limit;
  }

  Stream stream_;
  RequestParser parser_;
  ReadBuffer input_;
  Request request_;
  Response response_;
  std::string head_;
  ProtocolError refusal_ = ProtocolError::kMalformed;
  std::size_t body_memory_ = 0;
};

}  // namespace keyhold::http

#include "http/server.h"

#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <cerrno>
#include <condition_variable>
#include <csignal>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>

#include "http/connection.h"

namespace keyhold::http {
namespace {

using Tcp = asio::ip::tcp;
using Acceptor = asio::basic_socket_acceptor<Tcp, Executor>;
using Timer = asio::basic_waitable_timer<std::chrono::steady_clock,
                                         asio::wait_traits<std::chrono::steady_clock>, Executor>;

// How long accepting rests when the system has no descriptor or memory for another connection.
constexpr std::chrono::milliseconds kAcceptBackOff{100};
// A thread that has been at one piece of work for so long, in a call that may never come back, gets
// no further connections while there are others.
constexpr std::chrono::milliseconds kHeldUp{100};
// A deadline is noticed a quarter of the shortest timeout late at most, and within these bounds.
constexpr std::chrono::milliseconds kShortestSweep{5};
constexpr std::chrono::milliseconds kLongestSweep{1000};

std::chrono::milliseconds sweep_interval(const ServerOptions& options) {
  const auto shortest =
      std::min({options.header_read_timeout, options.body_read_timeout, options.write_timeout,
                options.idle_timeout, options.linger_timeout});
  return std::clamp(shortest / 4, kShortestSweep, kLongestSweep);
}

std::string numeric_address(const Socket& socket) {
  error_code error;
  const Tcp::endpoint peer = socket.remote_endpoint(error);
  if (error) return {};
  const asio::ip::address address = peer.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string();
  }
  return address.to_string();
}

bool is_exhaustion(const error_code& error) {
  return error == asio::error::no_descriptors || error == asio::error::no_buffer_space ||
         error == asio::error::no_memory || error.value() == ENFILE;
}

/// One io thread: its connections, and the sweeper that looks at their deadlines.
class IoThread {
 public:
  IoThread(ServerState& server, std::size_t index)
      : name_("http-io-" + std::to_string(index)),
        state_(server),
        work_(asio::make_work_guard(context_)),
        sweeper_(context_) {}
  ~IoThread() {
    context_.stop();  // without effect after finish()
    join();
  }
  IoThread(const IoThread&) = delete;
  IoThread& operator=(const IoThread&) = delete;

  asio::io_context& context() { return context_; }
  ThreadState& state() { return state_; }

  void start() {
    asio::co_spawn(context_, sweep(), asio::detached);
    thread_ = std::thread([this] {
      name_this_thread(name_);
      ignore_broken_pipes();
      run();
    });
  }

  /// From any thread.
  bool is_held_up() const {
    const SteadyTime since = state_.working_since.load(std::memory_order_relaxed);
    const SteadyTime now = std::chrono::steady_clock::now();
    return now > since && now - since > kHeldUp;
  }

  /// Serves a connection that was accepted for this thread's context; from any thread.
  void take(Socket socket) {
    asio::post(context_, [this, moved = std::move(socket)]() mutable { admit(std::move(moved)); });
  }

  /// Closes the connection that has been idle longest; from any thread.
  void make_room() {
    asio::post(context_, [this] {
      if (!state_.idle.empty()) state_.idle.front()->evict();
    });
  }

  /// Closes what is idle; on this thread.
  void close_idle() { cut_all(state_.idle); }

  void cut_everything() {
    cut_all(state_.idle);
    cut_all(state_.busy);
  }

  /// Lets the thread end when no connection is left; on this thread.
  void finish() {
    finished_ = true;
    sweeper_.cancel();
    work_.reset();
  }

  void join() {
    if (thread_.joinable()) thread_.join();
  }

 private:
  void run() {
    for (;;) {
      try {
        context_.run();
        return;
      } catch (const std::exception& bug) {
        log::error(name_ + ": " + bug.what());
      }
    }
  }

  // OpenSSL writes to sockets as to files, and one that the client closed would end the process.
  static void ignore_broken_pipes() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGPIPE);
    ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  }

  // Cutting never changes the lists: a coroutine ends later, when its operation completes.
  static void cut_all(const ConnectionList& connections) {
    for (ConnectionBase* connection : connections) connection->cut();
  }

  Awaitable<void> sweep() {
    const std::chrono::milliseconds interval = sweep_interval(state_.server.options);
    while (!finished_) {
      sweeper_.expires_after(interval);
      error_code ignored;
      co_await sweeper_.async_wait(asio::redirect_error(UseAwaitable(), ignored));
      const SteadyTime now = std::chrono::steady_clock::now();
      for (const ConnectionList* connections : {&state_.idle, &state_.busy}) {
        for (ConnectionBase* connection : *connections) {
          if (connection->expired(now)) connection->cut();
        }
      }
    }
  }

  void admit(Socket socket) {
    ServerState& server = state_.server;
    if (server.draining) return;
    if (server.connections >= server.options.max_connections) {
      if (state_.idle.empty()) return;
      state_.idle.front()->evict();
    }
    try {
      error_code ignored;
      // NOLINTNEXTLINE(bugprone-unused-return-value): the same as `ignored`
      socket.set_option(Tcp::no_delay(true), ignored);
      if (!server.tls) {
        begin(PlainStream(std::move(socket)));
        return;
      }
      auto arrivals = std::make_unique<Arrivals>();
      SslPtr tls = server.tls->read().new_connection(socket.native_handle(), *arrivals);
      if (tls == nullptr) return;
      begin(TlsStream(std::move(socket), std::move(arrivals), std::move(tls)));
    } catch (const std::exception& exhaustion) {
      log::error(std::string("a connection was dropped: ") + exhaustion.what());
    }
  }

  template <typename Stream>
  void begin(Stream stream) {
    std::string peer = numeric_address(stream.socket());
    auto connection =
        std::make_shared<Connection<Stream>>(state_, std::move(stream), std::move(peer));
    asio::co_spawn(context_, Connection<Stream>::run(std::move(connection)),
                   [](const std::exception_ptr& bug) { report(bug); });
  }

  static void report(const std::exception_ptr& bug) {
    if (!bug) return;
    try {
      std::rethrow_exception(bug);
    } catch (const std::exception& thrown) {
      log::error(std::string("a connection ended: ") + thrown.what());
    } catch (...) {
      log::error("a connection ended by a value thrown");
    }
  }

  const std::string name_;
  ThreadState state_;  // before context_, whose end may end connections that use it
  asio::io_context context_{1};
  asio::executor_work_guard<Executor> work_;
  Timer sweeper_;
  bool finished_ = false;
  std::thread thread_;
};

/// Accepts connections and deals them out to the io threads, on a thread of its own: it has no work
/// that could hold it up.
class Listener {
 public:
  explicit Listener(std::vector<IoThread*> threads) : threads_(std::move(threads)) {}
  ~Listener() { close(); }
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  asio::io_context& context() { return context_; }

  void start(Acceptor acceptor) {
    acceptor_.emplace(std::move(acceptor));
    asio::co_spawn(context_, accept(), asio::detached);
    thread_ = std::thread([this] {
      name_this_thread("http-accept");
      context_.run();
    });
  }

  /// Nobody is accepted after this.
  void close() {
    context_.stop();
    if (thread_.joinable()) thread_.join();
    acceptor_.reset();
  }

 private:
  IoThread& next() {
    for (std::size_t tried = 0; tried < threads_.size(); ++tried) {
      IoThread& thread = *threads_[turn_++ % threads_.size()];
      if (!thread.is_held_up()) return thread;
    }
    return *threads_[turn_++ % threads_.size()];
  }

  Awaitable<void> accept() {
    Timer back_off(context_);
    SteadyTime last_warning{};
    while (true) {
      // Whose turn it is shows when somebody comes.
      error_code error;
      co_await acceptor_->async_wait(asio::socket_base::wait_read,
                                     asio::redirect_error(UseAwaitable(), error));
      IoThread& home = next();
      try {
        Socket socket(home.context());
        if (!error) acceptor_->accept(socket, error);
        if (!error) {
          home.take(std::move(socket));
          continue;
        }
      } catch (const std::exception&) {
        error = asio::error::no_memory;
      }
      if (!is_exhaustion(error)) continue;  // the client was gone before we came: its own affair

      const SteadyTime now = std::chrono::steady_clock::now();
      if (now - last_warning > std::chrono::seconds(1)) {
        log::warning("cannot accept connections: " + error.message());
        last_warning = now;
      }
      home.make_room();
      back_off.expires_after(kAcceptBackOff);
      error_code ignored;
      co_await back_off.async_wait(asio::redirect_error(UseAwaitable(), ignored));
    }
  }

  const std::vector<IoThread*> threads_;
  asio::io_context context_{1};
  std::optional<Acceptor> acceptor_;
  std::size_t turn_ = 0;
  std::thread thread_;
};

Error refused(std::string sentence) { return Error(ErrorCode::kValidation, std::move(sentence)); }

Result<Tcp::endpoint> resolve(const ServerOptions& options, asio::io_context& context) {
  // RFC 6761 section 6.3: `localhost` is the loopback address, whether or not there is a hosts
  // file.
  if (options.host == "localhost") {
    return Tcp::endpoint(asio::ip::address_v4::loopback(), options.port);
  }
  error_code error;
  const asio::ip::address address = asio::ip::make_address(options.host, error);
  if (!error) return Tcp::endpoint(address, options.port);
  asio::ip::basic_resolver<Tcp, Executor> resolver(context);
  const auto found = resolver.resolve(options.host, std::to_string(options.port), error);
  if (error || found.empty()) {
    return refused("Cannot listen on " + options.host + ": it is no address of this machine.");
  }
  // A name like localhost has one address of each kind, and most clients try IPv4.
  for (const auto& entry : found) {
    if (entry.endpoint().address().is_v4()) return entry.endpoint();
  }
  return found.begin()->endpoint();
}

std::string spelled(const Tcp::endpoint& endpoint) {
  const std::string address = endpoint.address().to_string();
  return (endpoint.address().is_v6() ? "[" + address + "]" : address) + ":" +
         std::to_string(endpoint.port());
}

Error listen_error(const Tcp::endpoint& endpoint, const error_code& error) {
  const std::string where = spelled(endpoint);
  if (error == asio::error::address_in_use) {
    return refused("Cannot listen on " + where + ": port " + std::to_string(endpoint.port()) +
                   " is already in use.");
  }
  if (error == asio::error::access_denied) {
    return refused("Cannot listen on " + where + ": this user may not use that port.");
  }
  const std::string sentence = "Cannot listen on " + where + ": " + error.message() + ".";
  // An address may come later, with its interface or from another machine.
  if (error.value() == EADDRNOTAVAIL) return Error(ErrorCode::kKmsInternal, sentence);
  return refused(sentence);
}

Result<Acceptor> listen_at(asio::io_context& context, const Tcp::endpoint& endpoint) {
  Acceptor acceptor(context);
  error_code error;
  if (acceptor.open(endpoint.protocol(), error)) return listen_error(endpoint, error);
  acceptor.set_option(Acceptor::reuse_address(true), error);
  if (error || acceptor.bind(endpoint, error) ||
      acceptor.listen(asio::socket_base::max_listen_connections, error) ||
      acceptor.non_blocking(true, error)) {
    return listen_error(endpoint, error);
  }
  return acceptor;
}

Result<void> check(const ServerOptions& options) {
  const auto at_least_one = [](std::string_view name) {
    return refused(std::string(name) + " must be at least 1.");
  };
  if (options.io_threads < 1) return at_least_one("io_threads");
  if (options.worker_threads < 1) return at_least_one("worker_threads");
  if (options.heavy_worker_threads < 1) return at_least_one("heavy_worker_threads");
  if (options.queue_limit < 1) return at_least_one("queue_limit");
  if (options.max_connections < 1) return at_least_one("max_connections");
  if (options.body_limit < 1) return at_least_one("body_limit");
  constexpr std::size_t kLeastHead = 256;
  if (options.header_limit < kLeastHead) return refused("header_limit must be at least 256 bytes.");
  if (options.total_body_limit < options.body_limit) {
    return refused("total_body_limit must not be less than body_limit.");
  }
  const std::pair<std::string_view, std::chrono::milliseconds> timeouts[] = {
      {"header_read_timeout", options.header_read_timeout},
      {"body_read_timeout", options.body_read_timeout},
      {"write_timeout", options.write_timeout},
      {"idle_timeout", options.idle_timeout},
      {"linger_timeout", options.linger_timeout}};
  for (const auto& [name, timeout] : timeouts) {
    if (timeout.count() < 1) return refused(std::string(name) + " must be at least 1 ms.");
  }
  return {};
}

}  // namespace

struct Server::Impl {
  // In this order: threads refer to the state, connections to the pool and to `changed`.
  std::mutex mutex;
  std::condition_variable changed;  // a connection ended, or a step was taken by an io thread
  ServerState state;
  std::unique_ptr<WorkerPool> workers;
  std::unique_ptr<WorkerPool> heavy_workers;
  std::vector<std::unique_ptr<IoThread>> threads;
  std::optional<Listener> listener;
  std::uint16_t port = 0;
  std::mutex drain_mutex;  // one drain at a time
  bool drained = false;

  ~Impl() { drain(std::chrono::milliseconds(0)); }

  /// Bound, and nobody is accepted yet.
  Result<Acceptor> listen() {
    TRY_ASSIGN(const Tcp::endpoint wanted, resolve(state.options, listener->context()));
    TRY_ASSIGN(Acceptor acceptor, listen_at(listener->context(), wanted));
    error_code error;
    port = acceptor.local_endpoint(error).port();
    if (error) return listen_error(wanted, error);
    return acceptor;
  }

  // Has each io thread take the step, and waits until all have.
  template <typename Step>
  void on_each_thread(Step step) {
    std::size_t waiting = threads.size();
    for (const auto& thread : threads) {
      asio::post(thread->context(), [this, &waiting, step, io_thread = thread.get()] {
        step(*io_thread);
        const std::lock_guard lock(mutex);
        --waiting;
        changed.notify_all();
      });
    }
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return waiting == 0; });
  }

  void drain(std::chrono::milliseconds grace) {
    const std::lock_guard one_drain(drain_mutex);
    if (drained) return;
    drained = true;
    const SteadyTime deadline = std::chrono::steady_clock::now() + grace;
    const auto none_left = [this] { return state.connections == 0; };

    state.draining = true;
    listener->close();
    // From here on nobody is admitted: who was, was so before its thread took this step.
    on_each_thread([](IoThread& thread) { thread.close_idle(); });
    {
      std::unique_lock lock(mutex);
      changed.wait_until(lock, deadline, none_left);
    }
    state.cutting = true;
    on_each_thread([](IoThread& thread) { thread.cut_everything(); });
    workers->stop();
    heavy_workers->stop();
    {
      std::unique_lock lock(mutex);
      changed.wait(lock, none_left);
    }
    on_each_thread([](IoThread& thread) { thread.finish(); });
    for (const auto& thread : threads) thread->join();
  }
};

Server::Server(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Server::~Server() = default;

Result<std::unique_ptr<Server>> Server::start(ServerOptions options, Handler handler,
                                              OverloadHandler overload,
                                              ProtocolErrorRenderer protocol_error) {
  TRY(check(options));
  auto impl = std::make_unique<Impl>();
  impl->drained = true;  // nothing runs yet that its destructor would have to end
  impl->state.options = std::move(options);
  impl->state.handler = std::move(handler);
  impl->state.overload = std::move(overload);
  impl->state.protocol_error = std::move(protocol_error);
  if (const auto& tls = impl->state.options.tls) {
    TRY_ASSIGN(auto context, TlsContext::make(*tls));
    impl->state.tls.emplace(std::move(context));
  }
  for (std::size_t i = 0; i < impl->state.options.io_threads; ++i) {
    impl->threads.push_back(std::make_unique<IoThread>(impl->state, i));
    impl->threads.back()->state().on_connection_end = [raw = impl.get()] {
      const std::lock_guard lock(raw->mutex);
      raw->changed.notify_all();
    };
  }
  std::vector<IoThread*> threads;
  for (const auto& thread : impl->threads) threads.push_back(thread.get());
  impl->listener.emplace(std::move(threads));
  TRY_ASSIGN(Acceptor acceptor, impl->listen());
  try {
    impl->workers = std::make_unique<WorkerPool>("worker", impl->state.options.worker_threads,
                                                 impl->state.options.queue_limit);
    impl->heavy_workers = std::make_unique<WorkerPool>(
        "heavy", impl->state.options.heavy_worker_threads, impl->state.options.queue_limit);
    impl->state.workers = impl->workers.get();
    impl->state.heavy_workers = impl->heavy_workers.get();
    for (const auto& thread : impl->threads) thread->start();
    impl->listener->start(std::move(acceptor));
  } catch (const std::system_error& error) {
    return refused(std::string("Cannot start the server's threads: ") + error.what() + ".");
  }
  impl->drained = false;
  return std::unique_ptr<Server>(new Server(std::move(impl)));
}

std::uint16_t Server::port() const { return impl_->port; }
std::size_t Server::connections() const { return impl_->state.connections; }
std::size_t Server::waiting() const {
  return impl_->workers->waiting() + impl_->heavy_workers->waiting();
}
Result<void> Server::reload_tls(const TlsOptions& options) {
  if (!impl_->state.tls) return refused("TLS cannot be turned on while the server runs.");
  TRY_ASSIGN(auto context, TlsContext::make(options));
  impl_->state.tls->publish(std::move(context));
  return {};
}
void Server::drain(std::chrono::milliseconds grace) { impl_->drain(grace); }

}  // namespace keyhold::http

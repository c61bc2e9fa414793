// The service of one process: its parts, its sockets, and the thread that brings it up as soon as
// its token is there.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "app/assembly.h"
#include "app/config.h"
#include "app/control_socket.h"
#include "app/data_folder.h"
#include "app/health_probe.h"
#include "http/server.h"
#include "store/sqlite_store.h"
#include "token/pkcs11_token.h"
#include "token/profile.h"

namespace keyhold::app {

/// What a service is started with.
struct ServiceStart {
  Config config;
  std::unique_ptr<DataFolder> folder;
  token::Profile profile;
  Secret pin;
  token::WhenAbsent when_absent = token::WhenAbsent::kWait;
  std::optional<http::TlsOptions> tls;
};

/// Sockets are open from the start; until the token has been there, calls are answered as while it
/// is away.
class RunningService {
 public:
  /// kValidation with a sentence for what an operator must mend, before anything was changed: an
  /// address in use, a store that another process has. No thread may read the environment
  /// meanwhile.
  static Result<std::unique_ptr<RunningService>> start(ServiceStart start);

  /// As drain(), without grace.
  ~RunningService();
  RunningService(const RunningService&) = delete;
  RunningService& operator=(const RunningService&) = delete;

  std::uint16_t port() const { return server_->port(); }
  /// 0 without an admin address.
  std::uint16_t admin_port() const { return admin_server_ ? admin_server_->port() : 0; }
  const Config& config() const { return config_; }
  const http::Server& server() const { return *server_; }
  TimePoint started_at() const { return started_at_; }
  /// The time by which keys are rotated and deleted.
  TimePoint domain_now() const { return domain_clock_.now(); }
  CallMetrics& metrics() { return metrics_; }
  const DataFolder& folder() const { return *folder_; }
  const EventRecorder& recorder() const { return *recorder_; }

  /// Waits for the token, without end where an absent one is waited for. The assembly, or why there
  /// will be none.
  Result<Assembly*> wait_until_assembled();
  /// Null while the token was never there.
  Assembly* assembly() const { return assembled_.load(std::memory_order_acquire); }
  /// Null while its module has not been loaded.
  token::Pkcs11Token* token() const { return token_seen_.load(std::memory_order_acquire); }

  /// Why the service cannot be brought up, ever; nothing while it is or may be.
  std::optional<Error> failure() const;

  /// Whether calls are answered now, by trying: kKeyUnavailable or another error, whose detail
  /// says why not.
  Result<void> check_readiness();
  /// The same without trying, for a status line.
  std::string status() const;

  /// Whether only a new process can help: a call or the start has hung for longer than the profile
  /// allows.
  enum class Stuck : std::uint8_t { kNo, kYes };
  Stuck stuck() const;

  /// Makes count what can: certificates, principals, limits, log level. Says in the log what
  /// cannot. After an error everything is as it was.
  Result<void> reload(const Config& wanted);

  /// Ends the service: calls that run are answered, for drain.deadline at most. One that hangs in
  /// the token then, or is still not back some seconds later, ends the process, with the events
  /// on disk.
  void drain();

 private:
  explicit RunningService(ServiceStart start);
  Result<void> open();
  Result<void> listen(std::optional<http::TlsOptions> tls);
  Result<void> listen_for_admin();
  void bring_up();
  bool has_hung_calls() const;
  bool may_pass(const Error& error) const;
  Result<void> try_to_assemble();
  http::Response handle(http::Request& request);
  Result<std::string> answer(const Operator& by, std::string_view command,
                             const json::Value& request);

  // In the order in which one refers to another.
  Config config_;
  const std::unique_ptr<DataFolder> folder_;
  const token::Profile profile_;
  Secret pin_;  ///< until the token is open
  const token::WhenAbsent when_absent_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  const SystemClock wall_clock_;
  const TimePoint started_at_ = wall_clock_.now();
  const OffsetClock domain_clock_;
  SystemRandom random_;
  RateLimiter limiter_;
  CallMetrics metrics_;
  std::unique_ptr<store::SqliteStore> store_;
  std::unique_ptr<EventRecorder> recorder_;
  std::unique_ptr<token::Pkcs11Token> token_;  ///< the bringing thread's until it has ended
  std::unique_ptr<Assembly> assembly_;         ///< likewise
  std::atomic<token::Pkcs11Token*> token_seen_{nullptr};
  std::atomic<Assembly*> assembled_{nullptr};

  mutable std::mutex mutex_;
  std::condition_variable changed_;  ///< one of these, or assembled_
  std::optional<Error> failure_;
  bool ending_ = false;

  std::thread bringing_up_;
  std::unique_ptr<HealthProbe> probe_;
  std::unique_ptr<http::Server> server_;
  std::unique_ptr<http::Server> admin_server_;
  std::unique_ptr<ControlSocket> control_;
  bool drained_ = false;  ///< the draining thread's
  std::atomic<bool> draining_{false};
};

}  // namespace keyhold::app

#include "app/running_service.h"

#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <utility>

#include "app/admin_pages.h"
#include "app/config_file.h"
#include "app/tls_files.h"
#include "app/token_source.h"
#include "base/log.h"
#include "http/worker_pool.h"

namespace keyhold::app {
namespace {

// How often the bringing thread looks whether it shall end.
constexpr std::chrono::milliseconds kBringUpTurn{500};
// What /readyz waits for.
constexpr std::chrono::milliseconds kReadinessDeadline{2000};
// After the drain's deadline: for what was cut off to be noticed, unless it hangs.
constexpr std::chrono::seconds kLastGrace{10};
constexpr std::chrono::milliseconds kLastGraceTurn{100};

/// The module's environment is set before there are threads that could read another part of it.
void set_environment(const token::Profile& profile) {
  for (const auto& [name, value] : profile.module_env) {
    if (value.empty()) {
      ::unsetenv(name.c_str());
    } else {
      ::setenv(name.c_str(), value.c_str(), 1);
    }
  }
}

/// Ends the process when a drain takes longer than it may: a thread in a module that hangs can be
/// neither called back nor ended. `hopeless`: whether one is there.
class LastResort {
 public:
  LastResort(std::chrono::milliseconds patience, std::function<bool()> hopeless,
             std::function<void()> save)
      : hopeless_(std::move(hopeless)),
        save_(std::move(save)),
        thread_([this, patience] { wait(patience); }) {}
  ~LastResort() {
    {
      const std::lock_guard lock(mutex_);
      done_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  LastResort(const LastResort&) = delete;
  LastResort& operator=(const LastResort&) = delete;

 private:
  void wait(std::chrono::milliseconds patience) {
    std::unique_lock lock(mutex_);
    const auto done = [this] { return done_; };
    if (changed_.wait_for(lock, patience, done)) return;
    const auto until = std::chrono::steady_clock::now() + kLastGrace;
    while (std::chrono::steady_clock::now() < until && !hopeless_()) {
      if (changed_.wait_for(lock, kLastGraceTurn, done)) return;
    }
    log::error("calls have not come back from the token: the process ends without them");
    save_();
    ::_exit(1);
  }

  const std::function<bool()> hopeless_;
  const std::function<void()> save_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false;
  std::thread thread_;
};

}  // namespace

RunningService::RunningService(ServiceStart start)
    : config_(std::move(start.config)),
      folder_(std::move(start.folder)),
      profile_(std::move(start.profile)),
      pin_(std::move(start.pin)),
      when_absent_(start.when_absent),
      domain_clock_(wall_clock_, config_.clock_offset),
      limiter_(config_.rate_limit) {}

Result<std::unique_ptr<RunningService>> RunningService::start(ServiceStart start) {
  auto tls = std::move(start.tls);
  std::unique_ptr<RunningService> service(new RunningService(std::move(start)));
  set_environment(service->profile_);
  TRY(service->listen(std::move(tls)));
  TRY(service->open());
  return service;
}

Result<void> RunningService::listen(std::optional<http::TlsOptions> tls) {
  http::ServerOptions options = config_.http;
  options.host = config_.listen.host;
  options.port = config_.listen.port;
  options.tls = std::move(tls);
  options.weigh = Gateway::weigh;
  TRY_ASSIGN(server_, http::Server::start(
                          options, [this](http::Request& request) { return handle(request); },
                          [this](http::Request& request) {
                            metrics_.note(CallMetrics::kUnknown, ErrorCode::kThrottling, {});
                            return Gateway::overload(request);
                          },
                          Gateway::protocol_error));
  return {};
}

Result<void> RunningService::open() {
  TRY_ASSIGN(store_, store::SqliteStore::open(config_.store_file()));
  TRY_ASSIGN(recorder_,
             EventRecorder::open(config_.audit_path(), domain_clock_, config_.usage_durability));
  TRY_ASSIGN(control_, ControlSocket::open(config_.socket_file(),
                                           [this](const Operator& by, std::string_view command,
                                                  const json::Value& asked) {
                                             return answer(by, command, asked);
                                           }));
  if (config_.admin_listen) TRY(listen_for_admin());
  probe_ = std::make_unique<HealthProbe>([this]() -> Result<void> {
    Assembly* assembly = this->assembly();
    if (assembly == nullptr) return Error(ErrorCode::kKeyUnavailable, {}, status());
    return assembly->prove();
  });
  bringing_up_ = std::thread([this] { bring_up(); });
  return {};
}

Result<void> RunningService::listen_for_admin() {
  http::ServerOptions options;
  options.host = config_.admin_listen->host;
  options.port = config_.admin_listen->port;
  options.io_threads = 1;
  options.queue_limit = 64;
  options.max_connections = 64;
  options.body_limit = 1024;
  options.request_id_header = "X-Request-Id";
  TRY_ASSIGN(admin_server_,
             http::Server::start(
                 options, [this](http::Request& request) { return answer_admin(*this, request); },
                 overloaded_admin, admin_protocol_error));
  return {};
}

RunningService::~RunningService() {
  config_.drain_deadline = milliseconds(0);
  drain();
}

// ------------------------------------------------------------------------------------ bringing up

void RunningService::bring_up() {
  http::name_this_thread("bring-up");
  while (true) {
    const auto tried = try_to_assemble();
    std::unique_lock lock(mutex_);
    if (ending_ || assembled_.load() != nullptr) break;
    if (!tried && !may_pass(tried.error())) {
      failure_ = tried.error();
      break;
    }
    if (!tried) log::warning("loading will be tried again: " + tried.error().detail());
    changed_.wait_for(lock, kBringUpTurn, [this] { return ending_; });
  }
  changed_.notify_all();
}

bool RunningService::may_pass(const Error& error) const {
  // Of a token that is waited for, opening it answers no error.
  if (when_absent_ == token::WhenAbsent::kRefuse || token_ == nullptr) return false;
  return error.code() == ErrorCode::kKeyUnavailable ||
         token_->health().readiness != token::Readiness::kReady;
}

Result<void> RunningService::try_to_assemble() {
  if (token_ == nullptr) {
    TRY_ASSIGN(token_, open_token(profile_, std::move(pin_), wall_clock_, random_, when_absent_));
    token_seen_.store(token_.get(), std::memory_order_release);
    if (token_->health().readiness != token::Readiness::kReady) {
      log::warning("the token is not there yet: " + token_->health().last_error);
    }
  }
  if (token_->wait_until_available(kBringUpTurn) == token::Available::kNo) return {};
  TRY_ASSIGN(assembly_, Assembly::make(config_, {*store_, *token_, *recorder_, limiter_, metrics_,
                                                 wall_clock_, domain_clock_, random_}));
  assembled_.store(assembly_.get(), std::memory_order_release);
  log::info("the token is there and everything is loaded");
  return {};
}

Result<Assembly*> RunningService::wait_until_assembled() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return failure_ || assembled_.load() != nullptr || ending_; });
  if (failure_) return *failure_;
  return assembled_.load();
}

std::optional<Error> RunningService::failure() const {
  const std::lock_guard lock(mutex_);
  return failure_;
}

// ---------------------------------------------------------------------------------------- answers

http::Response RunningService::handle(http::Request& request) {
  const log::RequestScope scope(request.request_id);
  Assembly* assembly = this->assembly();
  if (assembly != nullptr) return assembly->handle(request);
  const ErrorCode code = Gateway::code_of_unavailable(request);
  metrics_.note(CallMetrics::kUnknown, code, {});
  return Gateway::unavailable(code);
}

Result<std::string> RunningService::answer(const Operator& by, std::string_view command,
                                           const json::Value& request) {
  Assembly* assembly = this->assembly();
  if (assembly != nullptr) return assembly->answer(by, command, request);
  return Error(ErrorCode::kValidation, "the service is not ready: " + status());
}

// ----------------------------------------------------------------------------------------- health

Result<void> RunningService::check_readiness() {
  if (draining_) return Error(ErrorCode::kKeyUnavailable, {}, "the service is ending");
  const token::Pkcs11Token* token = this->token();
  if (token == nullptr || token->health().readiness != token::Readiness::kReady) {
    return Error(ErrorCode::kKeyUnavailable, {}, status());
  }
  return probe_->ask(kReadinessDeadline);
}

std::string RunningService::status() const {
  const token::Pkcs11Token* token = this->token();
  if (token == nullptr) return "the token's module is being opened";
  const auto health = token->health();
  std::string status = "the token is " + std::string(to_string(health.readiness));
  if (health.readiness != token::Readiness::kReady && !health.last_error.empty()) {
    return status + ": " + health.last_error;
  }
  return assembly() == nullptr ? status + ", and the store is being loaded" : status;
}

RunningService::Stuck RunningService::stuck() const {
  const token::Pkcs11Token* token = this->token();
  if (token != nullptr) {
    return token->health().readiness == token::Readiness::kStuck ? Stuck::kYes : Stuck::kNo;
  }
  const auto waiting = std::chrono::steady_clock::now() - started_;
  return waiting > profile_.restart_after_hang ? Stuck::kYes : Stuck::kNo;
}

// -------------------------------------------------------------------------------- reload and drain

Result<void> RunningService::reload(const Config& wanted) {
  if (!wanted.tls.certificate.empty() && !config_.tls.certificate.empty()) {
    TRY_ASSIGN(const auto tls, read_tls_files(wanted.tls));
    TRY(server_->reload_tls(tls));
  }
  if (wanted.tls.certificate.empty() != config_.tls.certificate.empty()) {
    log::warning("reload: TLS is turned on or off by a restart only");
  }
  if (Assembly* assembly = this->assembly()) {
    const auto loaded = assembly->principals().load();
    if (!loaded) log::error("principals stay as they were: " + loaded.error().message());
  }
  limiter_.set(wanted.rate_limit);
  log::set_level(wanted.log_level);
  for (const std::string& key : changes_for_restart(config_, wanted)) {
    log::warning("reload: " + key + " has changed, which counts after a restart");
  }
  return {};
}

void RunningService::drain() {
  if (drained_) return;
  drained_ = true;
  draining_ = true;
  const LastResort last_resort(
      config_.drain_deadline, [this] { return has_hung_calls(); },
      [this] {
        if (recorder_) recorder_->close();
      });
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  control_.reset();
  if (server_) server_->drain(config_.drain_deadline);
  if (bringing_up_.joinable()) bringing_up_.join();
  admin_server_.reset();
  probe_.reset();
  assembled_ = nullptr;
  if (assembly_) assembly_->stop();
  assembly_.reset();
  {
    const std::lock_guard lock(mutex_);
    token_seen_ = nullptr;
  }
  token_.reset();
}

bool RunningService::has_hung_calls() const {
  const std::lock_guard lock(mutex_);  // the token does not go meanwhile
  const token::Pkcs11Token* token = this->token();
  return token != nullptr && token->health().hung_calls != 0;
}

}  // namespace keyhold::app

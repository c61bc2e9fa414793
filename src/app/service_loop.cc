#include "app/service_loop.h"

#include <signal.h>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <string>
#include <string_view>

#include "base/log.h"

namespace keyhold::app {
namespace {

constexpr std::chrono::milliseconds kTurn{500};

sigset_t held_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, signal);
  return signals;
}

/// The signal that came; 0 if none did.
int wait_for_signal(std::chrono::milliseconds patience) {
  const sigset_t signals = held_signals();
  timespec time{};
  time.tv_sec = patience.count() / 1000;
  time.tv_nsec = patience.count() % 1000 * 1'000'000;
  return std::max(::sigtimedwait(&signals, nullptr, &time), 0);
}

/// Tells the supervisor, and nothing twice.
class Status {
 public:
  explicit Status(const Supervisor& supervisor) : supervisor_(supervisor) {}
  void tell(std::string status) {
    if (status == told_) return;
    told_ = std::move(status);
    // One line is one state.
    std::string line = told_;
    std::ranges::replace(line, '\n', ' ');
    supervisor_.notify("STATUS=" + line);
  }

 private:
  const Supervisor& supervisor_;
  std::string told_;
};

/// Says in the log that the service is stuck, and that it is no longer, once each.
class StuckLog {
 public:
  void tell(RunningService::Stuck stuck, std::string_view status) {
    if (stuck == told_) return;
    told_ = stuck;
    if (stuck == RunningService::Stuck::kYes) {
      log::error("stuck for longer than recovery.restart_after_hang, only a restart helps: " +
                 std::string(status));
    } else {
      log::warning("no longer stuck: " + std::string(status));
    }
  }

 private:
  RunningService::Stuck told_ = RunningService::Stuck::kNo;
};

/// How long a service that has just begun may keep those waiting that start after it.
constexpr std::chrono::seconds kStartPatience{20};
constexpr std::chrono::milliseconds kStartTurn{10};

/// Whether nothing more is to be had from waiting for the start: calls are answered now, or they
/// will not be before something outside changes.
bool has_begun(const RunningService& service, std::chrono::steady_clock::time_point since) {
  if (service.assembly() != nullptr) return true;
  const token::Pkcs11Token* token = service.token();
  return (token != nullptr && token->health().readiness != token::Readiness::kReady) ||
         std::chrono::steady_clock::now() - since >= kStartPatience;
}

bool wants_restart(const RunningService& service) {
  const token::Pkcs11Token* token = service.token();
  return token != nullptr && token->restart() == token::Pkcs11Token::Restart::kDue;
}

}  // namespace

void hold_signals() {
  const sigset_t signals = held_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

Result<ServiceEnd> run_service(RunningService& service, const Supervisor& supervisor,
                               const std::function<void()>& reload) {
  using Moment = std::chrono::steady_clock::time_point;
  const auto interval = supervisor.watchdog_interval();
  const auto turn = interval ? std::min(kTurn, *interval) : kTurn;
  const Moment since = std::chrono::steady_clock::now();
  Moment answered{};
  Status status(supervisor);
  StuckLog stuck_log;
  bool begun = false;
  ServiceEnd end = ServiceEnd::kAsked;
  while (true) {
    const int signal = wait_for_signal(begun ? turn : kStartTurn);
    if (signal == SIGTERM || signal == SIGINT) break;
    if (signal == SIGHUP) {
      supervisor.notify("RELOADING=1");
      reload();
      supervisor.notify("READY=1");
      begun = true;
    }
    if (const auto failure = service.failure()) {
      service.drain();
      return *failure;
    }
    if (!begun && has_begun(service, since)) {
      begun = true;
      supervisor.notify("READY=1");
    }
    status.tell(service.status());
    const auto stuck = service.stuck();
    stuck_log.tell(stuck, service.status());
    const auto now = std::chrono::steady_clock::now();
    if (interval && now - answered >= *interval && stuck == RunningService::Stuck::kNo) {
      supervisor.notify("WATCHDOG=1");
      answered = now;
    }
    if (supervisor.supervised() == Supervised::kYes && wants_restart(service)) {
      log::warning("the token's module keeps too much memory: the process ends, to be restarted");
      end = ServiceEnd::kWantsRestart;
      break;
    }
  }
  supervisor.notify("STOPPING=1");
  log::info("ending: calls that run are answered, and no others are taken");
  service.drain();
  log::info("ended");
  return end;
}

}  // namespace keyhold::app

#include "app/commands/serve.h"

#include <iostream>

#include "app/commands/command_error.h"
#include "app/config_file.h"
#include "app/data_folder.h"
#include "app/running_service.h"
#include "app/service_loop.h"
#include "app/supervisor.h"
#include "app/tls_files.h"
#include "app/token_source.h"

namespace keyhold::app {
namespace {

/// A service is never started on a place that is empty because a disk is not mounted.
Result<void> check_prepared(const Config& config, const std::string& config_path) {
  TRY_ASSIGN(const Presence store, look_for(config.store_file()));
  if (store == Presence::kThere) return {};
  return Error(ErrorCode::kValidation, "there is no store at " + config.store_file() +
                                           "; `keyhold init --config " + config_path +
                                           "` makes one");
}

Result<std::unique_ptr<RunningService>> start(const Config& config,
                                              const std::string& config_path) {
  TRY(check_prepared(config, config_path));
  ServiceStart start;
  start.config = config;
  TRY_ASSIGN(start.profile, read_token_profile(config));
  TRY_ASSIGN(start.pin, read_token_pin(config));
  if (!config.tls.certificate.empty()) {
    TRY_ASSIGN(start.tls, read_tls_files(config.tls));
  }
  TRY_ASSIGN(start.folder, DataFolder::open(config.data_folder));
  return RunningService::start(std::move(start));
}

void reload(RunningService& service, const std::string& config_path) {
  const auto wanted = load_config(config_path);
  const auto reloaded = wanted ? service.reload(*wanted) : Result<void>(wanted.error());
  if (reloaded) {
    log::info("reloaded " + config_path);
  } else {
    log::error("everything stays as it was: " + reloaded.error().message());
  }
}

std::string spelled(const ListenAddress& address, std::uint16_t port) {
  const bool is_v6 = address.host.find(':') != std::string::npos;
  return (is_v6 ? "[" + address.host + "]" : address.host) + ":" + std::to_string(port);
}

Result<ServiceEnd> serve(const std::string& config_path) {
  TRY_ASSIGN(const Config config, load_config(config_path));
  log::set_form(config.log_form);
  log::set_level(config.log_level);
  const Supervisor supervisor;
  hold_signals();
  TRY_ASSIGN(const auto service, start(config, config_path));
  log::info("listening at " + spelled(config.listen, service->port()) +
            (config.tls.certificate.empty() ? " without TLS" : " with TLS"));
  if (config.tls.certificate.empty() && !is_loopback(config.listen)) {
    log::warning("plaintexts cross the network in clear, as listen.insecure allows");
  }
  if (config.admin_listen) {
    log::info("admin address is " + spelled(*config.admin_listen, service->admin_port()));
    if (!is_loopback(*config.admin_listen)) {
      log::warning("the admin address has neither TLS nor a login, and is not of loopback alone");
    }
  }
  return run_service(*service, supervisor, [&] { reload(*service, config_path); });
}

}  // namespace

int run_serve(const std::string& config_path) {
  const auto served = serve(config_path);
  if (served) return *served == ServiceEnd::kWantsRestart ? kExitRestart : 0;
  return report_error(served.error());
}

int run_config_check(const std::string& config_path) {
  const auto reading = read_config_file(config_path, ConfigCheck::kStart);
  std::cout << print_problems(config_path, reading.problems);
  if (!reading.problems.empty()) return kExitUsersFault;
  std::cout << config_path << " is in order\n";
  return 0;
}

}  // namespace keyhold::app

#include "app/commands/service_place.h"

#include <unistd.h>

#include <filesystem>
#include <span>

#include "app/assembly.h"
#include "app/config_file.h"
#include "app/control_socket.h"
#include "app/data_folder.h"
#include "app/run_as.h"
#include "app/token_source.h"
#include "base/json.h"
#include "token/pkcs11_token.h"

namespace keyhold::app {
namespace {

/// Answers as the service would.
Result<std::string> answer_here(const Config& config, std::string_view request) {
  const Operator by{::getuid()};  // before this process becomes another user's
  TRY(become_owner_of(config.data_folder));
  TRY_ASSIGN(const Presence present, look_for(config.store_file()));
  if (present == Presence::kAbsent) {
    return Error(ErrorCode::kValidation, "there is no store at " + config.store_file());
  }
  log::set_level(log::Level::kError);
  SystemRandom random;
  const SystemClock clock;
  TRY_ASSIGN(const auto folder, DataFolder::open(config.data_folder));
  TRY_ASSIGN(const auto profile, read_token_profile(config));
  TRY_ASSIGN(Secret pin, read_token_pin(config));
  TRY_ASSIGN(const auto store, store::SqliteStore::open(config.store_file()));
  TRY_ASSIGN(const auto recorder, EventRecorder::open(config.audit_path(), clock));
  TRY_ASSIGN(const auto token, open_token(profile, std::move(pin), clock, random));
  RateLimiter limiter({});
  CallMetrics metrics;
  TRY_ASSIGN(const auto assembly, Assembly::make(config, {*store, *token, *recorder, limiter,
                                                          metrics, clock, clock, random}));
  std::string text(request);
  TRY_ASSIGN(const auto document, json::Document::parse(std::span(
                                      reinterpret_cast<std::uint8_t*>(text.data()), text.size())));
  const auto command = document.root().member("command");
  return assembly->answer(by, command ? command->string().value_or("") : "", document.root());
}

}  // namespace

void add_place(CLI::App& command, ServicePlace& place) {
  CLI::Option_group* group = command.add_option_group("service", "Which service");
  group->set_help_flag();
  group->add_option("--data", place.data, "The data folder of a running `keyhold dev`");
  group->add_option("--config", place.config, "The configuration file of `keyhold serve`");
  group->require_option(1);
}

Result<std::string> ask(const ServicePlace& place, std::string_view request) {
  if (place.config.empty()) {
    return ask_service(std::filesystem::path(place.data) / kSocketFile, request);
  }
  TRY_ASSIGN(const Config config, load_config(place.config));
  if (service_listens(config.socket_file()) == Listening::kYes) {
    return ask_service(config.socket_file(), request);
  }
  return answer_here(config, request);
}

}  // namespace keyhold::app

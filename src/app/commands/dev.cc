#include "app/commands/dev.h"

#include <signal.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <optional>

#include "app/assembly.h"
#include "app/config.h"
#include "app/control_socket.h"
#include "app/credential_store.h"
#include "app/data_folder.h"
#include "app/dev_profile.h"
#include "app/event_recorder.h"
#include "app/gateway.h"
#include "http/server.h"
#include "store/sqlite_store.h"
#include "token/pkcs11_token.h"
#include "token/profile.h"
#include "token/softhsm.h"

namespace keyhold::app {
namespace {

constexpr int kFailed = 1;
constexpr int kUsersFault = 2;

constexpr std::string_view kTokenFolder = "token";
constexpr std::string_view kTokenLabel = "keyhold";
constexpr std::string_view kRegion = "us-east-1";
constexpr auto kDrainGrace = std::chrono::seconds(5);

struct ListenAddress {
  std::string host;
  std::uint16_t port = 0;
};

Result<ListenAddress> parse_listen(std::string_view text) {
  Error bad(ErrorCode::kValidation, "--listen takes HOST:PORT, not '" + std::string(text) + "'");
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad;
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  ListenAddress address;
  const auto digits = text.substr(colon + 1);
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), address.port);
  if (error != std::errc{} || end != digits.data() + digits.size()) return bad;
  // There is no TLS here, and the administrator's key lies in a file beside it.
  if (host != "localhost" && host != "::1" && !host.starts_with("127.")) {
    return Error(ErrorCode::kValidation,
                 "dev mode listens on loopback only, not on '" + std::string(host) + "'");
  }
  address.host = host == "localhost" ? "127.0.0.1" : host;
  return address;
}

/// The token's PIN, drawn at the first start.
Result<Secret> open_pin(const DataFolder& folder, Random& random) {
  const auto path = folder.file(kPinFile);
  if (std::filesystem::exists(path)) {
    TRY_ASSIGN(std::string text, read_file(path));
    while (!text.empty() && text.back() == '\n') text.pop_back();
    Secret pin{std::string_view(text)};
    wipe(text.data(), text.size());
    return pin;
  }
  Secret drawn(16);
  random.fill({drawn.data(), drawn.size()});
  std::string text = to_hex(drawn.view());
  Secret pin{std::string_view(text)};
  const auto written = write_private_file(path, text);
  wipe(text.data(), text.size());
  if (!written) return written.error();
  return pin;
}

Result<std::unique_ptr<token::Pkcs11Token>> open_token(const DataFolder& folder,
                                                       const Config& config, const Clock& clock,
                                                       Random& random) {
  TRY_ASSIGN(Secret pin, open_pin(folder, random));
  // The module that makes the token is the one that will be used, a fault module before SoftHSM
  // included.
  TRY_ASSIGN(const auto plain, token::parse_profile(kDevProfile, config.profile_overrides));
  token::SoftHsmRequest request;
  request.folder = folder.file(kTokenFolder).string();
  request.module = plain.module;
  request.label = kTokenLabel;
  request.so_pin = pin;  // dev mode's operator and user are one
  request.pin = pin;
  TRY_ASSIGN(auto overrides, token::prepare_softhsm(request));
  overrides.insert(overrides.end(), config.profile_overrides.begin(),
                   config.profile_overrides.end());
  TRY_ASSIGN(const auto profile, token::parse_profile(kDevProfile, overrides));
  return token::Pkcs11Token::open(profile, std::move(pin), clock, random);
}

std::string credentials_file(const AccessKey& key) {
  return "[default]\naws_access_key_id = " + key.access_key_id +
         "\naws_secret_access_key = " + std::string(key.secret_access_key.text()) +
         "\nregion = " + std::string(kRegion) + "\n";
}

/// The access key that the environment brings, if it brings one.
Result<std::optional<AccessKey>> access_key_from_environment() {
  const char* id = std::getenv("AWS_ACCESS_KEY_ID");
  const char* secret = std::getenv("AWS_SECRET_ACCESS_KEY");
  if (id == nullptr || secret == nullptr || *id == '\0' || *secret == '\0') {
    return std::optional<AccessKey>();
  }
  const std::string_view text(id);
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  if (text.size() > 128 || !std::all_of(text.begin(), text.end(), allowed)) {
    return Error(ErrorCode::kValidation, "AWS_ACCESS_KEY_ID is not an access key id");
  }
  return std::optional<AccessKey>(AccessKey{std::string(text), Secret(std::string_view(secret))});
}

struct Access {
  AccessKey key;
  bool made = false;
};

Result<Access> open_access(const DataFolder& folder, const Config& config,
                           CredentialStore& credentials) {
  TRY_ASSIGN(auto given, access_key_from_environment());
  Access access;
  if (given) {
    TRY(credentials.put(config.account, config.administrator, *given));
    access.key = std::move(*given);
  } else {
    TRY_ASSIGN(auto found, credentials.ensure(config.account, config.administrator));
    access.key = std::move(found.key);
    access.made = found.made;
  }
  std::string text = credentials_file(access.key);
  const auto written = write_private_file(folder.file(kCredentialsFile), text);
  wipe(text.data(), text.size());
  if (!written) return written.error();
  return access;
}

void print_exports(const Access& access, const std::string& url, const DataFolder& folder) {
  std::cout << "export AWS_ENDPOINT_URL_KMS=" << url << "\n"
            << "export AWS_REGION=" << kRegion << " AWS_DEFAULT_REGION=" << kRegion << "\n";
  if (access.made) {
    std::cout << "export AWS_ACCESS_KEY_ID=" << access.key.access_key_id << "\n"
              << "export AWS_SECRET_ACCESS_KEY=" << access.key.secret_access_key.text() << "\n";
  } else {
    std::cout << "export AWS_SHARED_CREDENTIALS_FILE=" << folder.file(kCredentialsFile).string()
              << "\n";
  }
}

sigset_t ending_signals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

/// Whether the address can be listened on, asked before anything is made or logged. The server
/// that serves comes last, when there is something to serve.
Result<void> check_address(const http::ServerOptions& options) {
  TRY(http::Server::start(options, Gateway::overload, Gateway::overload, Gateway::protocol_error));
  return {};
}

Result<void> serve(const DevOptions& options) {
  Config config;
  for (const auto& setting : options.settings) TRY(apply_setting(config, setting));
  TRY_ASSIGN(const auto address, parse_listen(options.listen));
  log::set_level(config.log_level);

  http::ServerOptions server_options;
  server_options.host = address.host;
  server_options.port = address.port;
  server_options.io_threads = config.io_threads;
  server_options.worker_threads = config.worker_threads;
  server_options.queue_limit = config.queue_limit;
  server_options.heavy_worker_threads = config.heavy_worker_threads;
  server_options.light_work = config.light_work;
  server_options.weigh = Gateway::weigh;

  // Before any thread: all of them inherit the mask, and the signals wait for sigwait below.
  const sigset_t signals = ending_signals();
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);

  TRY_ASSIGN(const auto folder,
             options.data.empty() ? DataFolder::open_temporary() : DataFolder::open(options.data));
  TRY(check_address(server_options));
  const SystemClock wall_clock;
  const OffsetClock domain_clock(wall_clock, config.clock_offset);
  SystemRandom random;

  TRY_ASSIGN(const auto store, store::SqliteStore::open(folder->file(kStoreFile).string()));
  TRY_ASSIGN(const auto token, open_token(*folder, config, wall_clock, random));
  TRY_ASSIGN(const auto recorder, EventRecorder::open(folder->file(kAuditFolder), domain_clock));
  TRY_ASSIGN(const auto assembly,
             Assembly::make(config, {*store, *token, *recorder, wall_clock, domain_clock, random}));
  TRY_ASSIGN(const auto access, open_access(*folder, config, assembly->credentials()));

  TRY_ASSIGN(const auto server,
             http::Server::start(
                 server_options, [&](http::Request& request) { return assembly->handle(request); },
                 Gateway::overload, Gateway::protocol_error));

  TRY_ASSIGN(const auto control,
             ControlSocket::open(folder->file(kSocketFile),
                                 [&](std::string_view command, const json::Value& request) {
                                   return assembly->answer(command, request);
                                 }));

  const std::string host =
      address.host.find(':') == std::string::npos ? address.host : "[" + address.host + "]";
  const std::string url = "http://" + host + ":" + std::to_string(server->port());
  print_exports(access, url, *folder);
  std::cout << "keyhold: ready at " << url << ", data in " << folder->path().string() << std::endl;

  int signal = 0;
  ::sigwait(&signals, &signal);
  server->drain(kDrainGrace);
  assembly->stop();
  return {};
}

}  // namespace

int run_dev(const DevOptions& options) {
  const auto served = serve(options);
  if (served) return 0;
  const Error& error = served.error();
  std::cerr << "keyhold: "
            << (error.message().empty() ? std::string(error_row(error.code()).wire_name)
                                        : error.message());
  if (!error.detail().empty()) std::cerr << " (" << error.detail() << ")";
  std::cerr << "\n";
  return error.code() == ErrorCode::kValidation ? kUsersFault : kFailed;
}

}  // namespace keyhold::app

#include "app/commands/init.h"

#include <unistd.h>

#include <filesystem>
#include <iostream>

#include "app/assembly.h"
#include "app/commands/command_error.h"
#include "app/config_file.h"
#include "app/data_folder.h"
#include "app/run_as.h"
#include "app/token_source.h"
#include "token/pkcs11_token.h"
#include "token/softhsm.h"

namespace keyhold::app {
namespace {

/// A PIN for a token that is about to be made, if there is none in the file it shall be in.
Result<void> make_pin(const PinSource& source, Random& random) {
  std::error_code error;
  if (source.kind != PinSource::Kind::kFile || std::filesystem::exists(source.name, error)) {
    return {};
  }
  Secret drawn(16);
  random.fill({drawn.data(), drawn.size()});
  std::string text = to_hex(drawn.view());
  const auto written = write_private_file(source.name, text + "\n");
  wipe(text.data(), text.size());
  if (!written) return written.error();
  std::cout << "made a PIN in " << source.name << "\n";
  return {};
}

Result<void> make_token(const Config& config, Random& random) {
  if (config.softhsm_folder.empty()) return {};
  if (token::softhsm_token(config.softhsm_folder) == token::SoftHsmToken::kMade) return {};
  TRY(make_pin(config.pin_source, random));
  TRY_ASSIGN(const auto profile, read_token_profile(config));
  token::SoftHsmRequest request;
  request.folder = config.softhsm_folder;
  request.module = profile.module;
  request.label = kTokenLabel;
  TRY_ASSIGN(request.pin, read_token_pin(config));
  request.so_pin = request.pin;  // the token's officer and its user are this service
  if (const auto made = token::prepare_softhsm(request); !made) {
    return unusable_token(made.error());
  }
  std::cout << "made a SoftHSM token in " << config.softhsm_folder << "\n";
  return {};
}

void print_access_key(const Config& config, const AccessKey& key) {
  std::cout << "access key of the administrator " << config.administrator << " of account "
            << config.account << ", shown this once:\n"
            << "aws_access_key_id = " << key.access_key_id << "\n"
            << "aws_secret_access_key = " << key.secret_access_key.text() << "\n";
}

Result<void> prepare(const std::string& config_path) {
  const Operator by{::getuid()};  // before this process becomes another user's
  TRY_ASSIGN(const Config config, load_config(config_path));
  log::set_level(log::Level::kWarning);
  TRY(become_owner_of(config.data_folder));
  SystemRandom random;
  const SystemClock clock;
  TRY_ASSIGN(const auto folder, DataFolder::open(config.data_folder));
  TRY(make_token(config, random));
  TRY_ASSIGN(const auto profile, read_token_profile(config));
  TRY_ASSIGN(Secret pin, read_token_pin(config));
  TRY_ASSIGN(const auto token, open_token(profile, std::move(pin), clock, random));
  const auto identity = token->identity();
  std::cout << "token '" << identity.label << "', serial " << identity.serial << ", "
            << identity.manufacturer << " " << identity.model << ": does what Keyhold needs\n";

  TRY_ASSIGN(const auto store, store::SqliteStore::open(config.store_file()));
  TRY_ASSIGN(const auto recorder, EventRecorder::open(config.audit_path(), clock));
  RateLimiter limiter({});
  CallMetrics metrics;
  TRY_ASSIGN(const auto assembly, Assembly::make(config, {*store, *token, *recorder, limiter,
                                                          metrics, clock, clock, random}));
  std::cout << "store " << config.store_file() << "\n";
  TRY_ASSIGN(const auto access,
             assembly->credentials().ensure(config.account, config.administrator));
  if (access.made) {
    TRY(recorder->record_change("CreateAccessKey", by, *access.made));
    TRY(access.made->in_effect);
    print_access_key(config, access.key);
  } else {
    std::cout << "the administrator has an access key, " << access.key.access_key_id
              << ", whose secret is not shown again\n";
  }
  return {};
}

}  // namespace

int run_init(const std::string& config_path) {
  const auto prepared = prepare(config_path);
  return prepared ? 0 : report_error(prepared.error());
}

}  // namespace keyhold::app

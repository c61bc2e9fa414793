#include "app/config.h"

#include <array>
#include <charconv>

#include "iam/principal.h"

namespace keyhold::app {
namespace {

/// Keys of this prefix go to the token's profile, which knows its own.
constexpr std::string_view kProfilePrefix = "profile.";

Error bad_value(std::string_view value, std::string_view wanted) {
  return Error(ErrorCode::kValidation,
               "'" + std::string(value) + "' is not " + std::string(wanted));
}

template <typename Number>
Result<Number> parse_number(std::string_view text, Number least, Number most,
                            std::string_view wanted) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < least || number > most) {
    return bad_value(text, wanted);
  }
  return number;
}

/// `90s`, `20m`, `12h`, `365d`; several may follow each other, as `1d12h`.
Result<milliseconds> parse_duration(std::string_view text) {
  constexpr std::string_view kWanted = "a duration like 90s, 20m, 12h or 365d";
  // A century: beyond it dates overflow before anybody learns anything.
  constexpr milliseconds kMost = kDay * 36525;
  milliseconds sum{0};
  std::string_view rest = text;
  if (rest.empty()) return bad_value(text, kWanted);
  while (!rest.empty()) {
    long count = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), count);
    if (error != std::errc{} || count < 0 || count > 1'000'000'000) return bad_value(text, kWanted);
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    milliseconds unit{0};
    if (rest.starts_with('s')) unit = std::chrono::seconds(1);
    if (rest.starts_with('m')) unit = std::chrono::minutes(1);
    if (rest.starts_with('h')) unit = std::chrono::hours(1);
    if (rest.starts_with('d')) unit = kDay;
    if (unit.count() == 0) return bad_value(text, kWanted);
    rest.remove_prefix(1);
    sum += unit * count;
    if (sum > kMost) return bad_value(text, kWanted);
  }
  return sum;
}

Result<void> set_account(Config& config, std::string_view value) {
  if (!iam::is_account(value)) return bad_value(value, "an account id of 12 digits");
  config.account = value;
  return {};
}

Result<void> set_administrator(Config& config, std::string_view value) {
  TRY(iam::parse_principal(value, config.account));
  config.administrator = value;
  return {};
}

Result<void> set_principals_file(Config& config, std::string_view value) {
  if (value.empty()) return bad_value(value, "the path of a file");
  config.principals_file = value;
  return {};
}

Result<void> set_unknown_principals(Config& config, std::string_view value) {
  if (value != "accept" && value != "refuse") return bad_value(value, "accept or refuse");
  config.unknown_principals =
      value == "refuse" ? UnknownPrincipals::kRefuse : UnknownPrincipals::kAccept;
  return {};
}

Result<void> set_rotation_rules(Config& config, std::string_view value) {
  const auto rules = kms::parse_rotation_rules(value);
  if (!rules) return bad_value(value, "2024 or 2025");
  config.kms.rotation_rules = *rules;
  return {};
}

Result<void> set_clock_offset(Config& config, std::string_view value) {
  TRY_ASSIGN(config.clock_offset, parse_duration(value));
  return {};
}

Result<void> set_material_deadline(Config& config, std::string_view value) {
  TRY_ASSIGN(config.kms.material_deadline, parse_duration(value));
  return {};
}

Result<void> set_log_level(Config& config, std::string_view value) {
  if (value == "debug") {
    config.log_level = log::Level::kDebug;
  } else if (value == "info") {
    config.log_level = log::Level::kInfo;
  } else if (value == "warning") {
    config.log_level = log::Level::kWarning;
  } else if (value == "error") {
    config.log_level = log::Level::kError;
  } else {
    return bad_value(value, "debug, info, warning or error");
  }
  return {};
}

Result<void> set_io_threads(Config& config, std::string_view value) {
  TRY_ASSIGN(config.io_threads,
             parse_number<std::size_t>(value, 1, 64, "a number of threads from 1 to 64"));
  return {};
}

Result<void> set_worker_threads(Config& config, std::string_view value) {
  TRY_ASSIGN(config.worker_threads,
             parse_number<std::size_t>(value, 1, 256, "a number of threads from 1 to 256"));
  return {};
}

Result<void> set_heavy_worker_threads(Config& config, std::string_view value) {
  TRY_ASSIGN(config.heavy_worker_threads,
             parse_number<std::size_t>(value, 1, 256, "a number of threads from 1 to 256"));
  return {};
}

Result<void> set_light_work(Config& config, std::string_view value) {
  if (value == "in-place") {
    config.light_work = http::LightWork::kInPlace;
  } else if (value == "pool") {
    config.light_work = http::LightWork::kInPool;
  } else {
    return bad_value(value, "in-place or pool");
  }
  return {};
}

Result<void> set_queue_limit(Config& config, std::string_view value) {
  TRY_ASSIGN(config.queue_limit,
             parse_number<std::size_t>(value, 1, 1'000'000, "a number from 1 to 1000000"));
  return {};
}

Result<void> set_token_module(Config& config, std::string_view value) {
  if (value.empty()) return bad_value(value, "the path of a PKCS#11 module");
  config.profile_overrides.push_back("module.path=" + std::string(value));
  return {};
}

constexpr auto kKeys = std::to_array<ConfigKey>({
    {"account", "000000000000", "account that keys are made in", set_account},
    {"administrator", "user/admin", "principal that may do everything", set_administrator},
    {"dev.clock_offset", "0s",
     "moves rotation and deletion dates closer, as if this time had passed (365d, 12h)",
     set_clock_offset},
    {"http.heavy_worker_threads", "4", "calls that write to the store or token, at once",
     set_heavy_worker_threads},
    {"http.io_threads", "2", "threads that read and write sockets", set_io_threads},
    {"http.light_work", "in-place",
     "in-place: calls that only read memory and use the token are worked on by the threads that "
     "read sockets, while they are quick; pool: by workers",
     set_light_work},
    {"http.queue_limit", "1024", "requests that may wait for a worker before callers are throttled",
     set_queue_limit},
    {"http.worker_threads", "4", "light calls that workers work on at once", set_worker_threads},
    {"log.level", "info", "debug, info, warning or error", set_log_level},
    {"principals.file", "none",
     "JSON file of users, groups and roles beside those of the store; read again when it changes",
     set_principals_file},
    {"principals.unknown", "accept",
     "accept: key policies and grants may name users and roles that are not there; refuse: they "
     "may "
     "not, as in AWS",
     set_unknown_principals},
    {"rotation.rules", "2024",
     "2024: 10 on-demand rotations a key; 2025: 25 (AWS's page of either year)",
     set_rotation_rules},
    {"token.deadline", "20s",
     "how long CreateKey and RotateKeyOnDemand wait for the token before they answer without it",
     set_material_deadline},
    {"token.module", "SoftHSM's", "path of the PKCS#11 module", set_token_module},
});

}  // namespace

std::span<const ConfigKey> config_keys() { return kKeys; }

Result<void> apply_setting(Config& config, std::string_view setting) {
  const auto equals = setting.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return Error(ErrorCode::kValidation,
                 "--set takes key=value, not '" + std::string(setting) + "'");
  }
  const auto name = setting.substr(0, equals);
  const auto value = setting.substr(equals + 1);
  if (name.starts_with(kProfilePrefix)) {
    config.profile_overrides.emplace_back(setting.substr(kProfilePrefix.size()));
    return {};
  }
  for (const ConfigKey& key : kKeys) {
    if (key.name != name) continue;
    const auto set = key.set(config, value);
    if (set) return {};
    return Error(ErrorCode::kValidation,
                 "configuration key " + std::string(name) + ": " + set.error().message());
  }
  return Error(ErrorCode::kValidation, "there is no configuration key '" + std::string(name) + "'");
}

}  // namespace keyhold::app

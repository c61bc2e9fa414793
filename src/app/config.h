// What can be configured: one table of keys, read by `--set key=value` and printed by `--help`.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "base/result.h"
#include "http/server.h"
#include "kms/service.h"

namespace keyhold::app {

/// Whether key policies and grants may name users and roles that are not there.
enum class UnknownPrincipals : std::uint8_t { kAccept, kRefuse };

struct Config {
  std::string account = "000000000000";
  std::string administrator = "user/admin";
  std::string principals_file;  ///< empty: users and roles are in the store alone
  UnknownPrincipals unknown_principals = UnknownPrincipals::kAccept;
  kms::ServiceOptions kms;
  /// Moves the domain's clock forward (dev mode): rotation and deletion dates, never a signature's
  /// window or the Date header.
  milliseconds clock_offset{0};
  log::Level log_level = log::Level::kInfo;
  std::size_t io_threads = 2;
  std::size_t worker_threads = 4;
  std::size_t heavy_worker_threads = 4;
  http::LightWork light_work = http::LightWork::kInPlace;
  std::size_t queue_limit = 1024;
  /// Single values of the token's profile, as parse_profile takes them.
  std::vector<std::string> profile_overrides;
};

/// A row of the table.
struct ConfigKey {
  std::string_view name;
  std::string_view default_value;
  std::string_view meaning;
  Result<void> (*set)(Config& config, std::string_view value);
};
std::span<const ConfigKey> config_keys();

/// Applies `key=value`. kValidation with a sentence that names the key if there is none of that
/// name, or the value is not one of its.
Result<void> apply_setting(Config& config, std::string_view setting);

}  // namespace keyhold::app

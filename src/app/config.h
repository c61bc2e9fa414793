// What can be configured: one table of keys, read by `--set key=value`, by the configuration file,
// and by docs/configuration.md.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "app/pin_source.h"
#include "app/rate_limiter.h"
#include "audit/writer.h"
#include "base/log.h"
#include "base/result.h"
#include "http/server.h"
#include "kms/service.h"

namespace keyhold::app {

/// Whether key policies and grants may name users and roles that are not there.
enum class UnknownPrincipals : std::uint8_t { kAccept, kRefuse };

struct ListenAddress {
  std::string host;  ///< numeric
  std::uint16_t port = 0;

  bool operator==(const ListenAddress&) const = default;
};

/// `HOST:PORT`, `[::1]:8790`; localhost is 127.0.0.1. kValidation for anything else.
Result<ListenAddress> parse_listen_address(std::string_view text);
bool is_loopback(const ListenAddress& address);

/// Where connections without TLS are taken.
enum class PlainConnections : std::uint8_t { kOnLoopback, kAnywhere };

enum class DevTls : std::uint8_t { kOff, kMadeCertificate };

/// Paths of PEM files.
struct TlsFiles {
  std::string certificate;  ///< empty: there is no TLS
  std::string private_key;
  std::string client_authorities;
  http::ClientCertificates client_certificates = http::ClientCertificates::kNotAsked;
};

/// http's defaults, but for what the bench has shown to be better for this service.
http::ServerOptions server_defaults();

struct Config {
  std::string account = "000000000000";
  std::string administrator = "user/admin";
  std::string principals_file;  ///< empty: users and roles are in the store alone
  UnknownPrincipals unknown_principals = UnknownPrincipals::kAccept;
  kms::ServiceOptions kms;
  std::set<std::string, std::less<>> regions;  ///< that answer; empty: every well-formed name
  RateLimit rate_limit;

  ListenAddress listen{"127.0.0.1", 8790};
  PlainConnections plain = PlainConnections::kOnLoopback;
  TlsFiles tls;
  std::optional<ListenAddress> admin_listen = ListenAddress{"127.0.0.1", 8791};
  std::size_t key_metrics = 1000;                ///< keys that the metrics tell of one by one
  http::ServerOptions http = server_defaults();  ///< all but host, port, TLS and weigh
  milliseconds drain_deadline{25'000};

  std::string data_folder = "/var/lib/keyhold";
  std::string store_path;                                          ///< empty: in the data folder
  std::string audit_folder;                                        ///< empty: in the data folder
  std::string control_socket;                                      ///< empty: in the data folder
  audit::Durability usage_durability = audit::Durability::kLater;  ///< of events of uses of keys

  std::string token_profile;   ///< path; empty: SoftHSM's, which is part of the program
  std::string token_uri;       ///< `pkcs11:`; empty: the profile says which token
  std::string softhsm_folder;  ///< a SoftHSM token of the service's own; empty: none
  PinSource pin_source;
  /// Single values of the token's profile, as parse_profile takes them.
  std::vector<std::string> profile_overrides;

  log::Level log_level = log::Level::kInfo;
  log::Form log_form = log::Form::kJson;

  /// Moves the domain's clock forward (dev mode): rotation and deletion dates, never a signature's
  /// window or the Date header.
  milliseconds clock_offset{0};
  DevTls dev_tls = DevTls::kOff;

  /// What was set, key by key, in print: what tells two configurations apart.
  std::map<std::string, std::string, std::less<>> settings;

  std::string store_file() const;
  std::string audit_path() const;
  std::string socket_file() const;
};

/// How a value is written in the file: a string, but for numbers, true and false, and lists.
enum class ValueForm : std::uint8_t { kText, kNumber, kSwitch, kList };

/// Whose key it is.
enum class UsedBy : std::uint8_t { kAll, kDev, kServe };

/// Whether SIGHUP makes a changed value count.
enum class Reload : std::uint8_t { kNo, kYes };

/// A row of the table.
struct ConfigKey {
  std::string_view name;
  std::string_view default_value;
  std::string_view meaning;
  /// A list comes as its elements, separated by commas.
  Result<void> (*set)(Config& config, std::string_view value);
  ValueForm form = ValueForm::kText;
  UsedBy used_by = UsedBy::kAll;
  Reload reload = Reload::kNo;
};
std::span<const ConfigKey> config_keys();
/// Null if there is none of that name.
const ConfigKey* find_config_key(std::string_view name);

/// Keys of this prefix are single values of the token's profile, which knows its own.
inline constexpr std::string_view kProfilePrefix = "profile.";

/// Applies `key=value`. kValidation with a sentence that names the key if there is none of that
/// name, or the value is not one of its.
Result<void> apply_setting(Config& config, std::string_view setting);

/// A sentence about keys that do not go together, and the key it is about.
struct ConfigConflict {
  std::string key;
  std::string sentence;
};
/// What a service cannot be started with; `keyhold serve` and `keyhold config check` ask.
std::vector<ConfigConflict> find_conflicts(const Config& config);

}  // namespace keyhold::app

// The table of configuration keys.
#include <algorithm>
#include <array>

#include "app/config.h"
#include "app/config_value.h"
#include "iam/principal.h"
#include "iam/region_policy.h"

namespace keyhold::app {
namespace {

constexpr std::size_t kMiB = std::size_t{1024} * 1024;

// -------------------------------------------------------------------- setters of one kind of value

template <std::string Config::*field>
Result<void> set_path(Config& config, std::string_view value) {
  if (!value.starts_with('/')) return bad_value(value, "an absolute path");
  config.*field = value;
  return {};
}

template <std::string TlsFiles::*field>
Result<void> set_tls_file(Config& config, std::string_view value) {
  if (!value.starts_with('/')) return bad_value(value, "an absolute path");
  config.tls.*field = value;
  return {};
}

template <milliseconds http::ServerOptions::*field>
Result<void> set_timeout(Config& config, std::string_view value) {
  TRY_ASSIGN(const milliseconds timeout, parse_duration(value));
  if (timeout < milliseconds(1) || timeout > std::chrono::hours(1)) {
    return bad_value(value, "a duration from 1ms to 1h");
  }
  config.http.*field = timeout;
  return {};
}

template <std::size_t http::ServerOptions::*field, std::size_t least, std::size_t most>
Result<void> set_count(Config& config, std::string_view value) {
  TRY_ASSIGN(config.http.*field,
             parse_number<std::size_t>(
                 value, least, most,
                 "a number from " + std::to_string(least) + " to " + std::to_string(most)));
  return {};
}

template <std::uint32_t RateLimit::*field, std::uint32_t least>
Result<void> set_rate(Config& config, std::string_view value) {
  TRY_ASSIGN(config.rate_limit.*field,
             parse_number<std::uint32_t>(value, least, 1'000'000,
                                         "a number from " + std::to_string(least) + " to 1000000"));
  return {};
}

template <typename Word>
struct Named {
  std::string_view name;
  Word word;
};
template <typename Word, std::size_t count>
Result<void> set_word(Word& field, std::string_view value, const Named<Word> (&words)[count]) {
  std::string wanted;
  for (std::size_t i = 0; i < count; ++i) {
    if (words[i].name == value) {
      field = words[i].word;
      return {};
    }
    wanted += (i == 0 ? "" : i + 1 == count ? " or " : ", ") + std::string(words[i].name);
  }
  return bad_value(value, wanted);
}

// --------------------------------------------------------------------------------- setters of a
// key

Result<void> set_account(Config& config, std::string_view value) {
  if (!iam::is_account(value)) return bad_value(value, "an account id of 12 digits");
  config.account = value;
  return {};
}

Result<void> set_admin_listen(Config& config, std::string_view value) {
  if (value == "none") {
    config.admin_listen.reset();
    return {};
  }
  TRY_ASSIGN(config.admin_listen, parse_listen_address(value));
  return {};
}

Result<void> set_administrator(Config& config, std::string_view value) {
  TRY(iam::parse_principal(value, config.account));
  config.administrator = value;
  return {};
}

Result<void> set_audit_durability(Config& config, std::string_view value) {
  return set_word<audit::Durability>(
      config.usage_durability, value,
      {{"grouped", audit::Durability::kLater}, {"before-reply", audit::Durability::kBeforeReturn}});
}

Result<void> set_clock_offset(Config& config, std::string_view value) {
  TRY_ASSIGN(config.clock_offset, parse_duration(value));
  return {};
}

Result<void> set_dev_tls(Config& config, std::string_view value) {
  return set_word<DevTls>(config.dev_tls, value,
                          {{"true", DevTls::kMadeCertificate}, {"false", DevTls::kOff}});
}

Result<void> set_drain_deadline(Config& config, std::string_view value) {
  TRY_ASSIGN(config.drain_deadline, parse_duration(value));
  return {};
}

Result<void> set_insecure(Config& config, std::string_view value) {
  return set_word<PlainConnections>(
      config.plain, value,
      {{"true", PlainConnections::kAnywhere}, {"false", PlainConnections::kOnLoopback}});
}

Result<void> set_key_metrics(Config& config, std::string_view value) {
  TRY_ASSIGN(config.key_metrics,
             parse_number<std::size_t>(value, 0, 100'000, "a number from 0 to 100000"));
  return {};
}

Result<void> set_light_work(Config& config, std::string_view value) {
  return set_word<http::LightWork>(
      config.http.light_work, value,
      {{"in-place", http::LightWork::kInPlace}, {"pool", http::LightWork::kInPool}});
}

Result<void> set_listen(Config& config, std::string_view value) {
  TRY_ASSIGN(config.listen, parse_listen_address(value));
  return {};
}

Result<void> set_log_form(Config& config, std::string_view value) {
  return set_word<log::Form>(config.log_form, value,
                             {{"json", log::Form::kJson}, {"text", log::Form::kText}});
}

Result<void> set_log_level(Config& config, std::string_view value) {
  return set_word<log::Level>(config.log_level, value,
                              {{"debug", log::Level::kDebug},
                               {"info", log::Level::kInfo},
                               {"warning", log::Level::kWarning},
                               {"error", log::Level::kError}});
}

Result<void> set_principals_file(Config& config, std::string_view value) {
  if (value.empty()) return bad_value(value, "the path of a file");
  config.principals_file = value;
  return {};
}

Result<void> set_unknown_principals(Config& config, std::string_view value) {
  return set_word<UnknownPrincipals>(
      config.unknown_principals, value,
      {{"accept", UnknownPrincipals::kAccept}, {"refuse", UnknownPrincipals::kRefuse}});
}

Result<void> set_regions(Config& config, std::string_view value) {
  config.regions.clear();
  while (!value.empty()) {
    const auto comma = value.find(',');
    const auto name = value.substr(0, comma);
    if (!iam::is_region_name(name)) return bad_value(name, "the name of a region");
    config.regions.emplace(name);
    value.remove_prefix(comma == std::string_view::npos ? value.size() : comma + 1);
  }
  return {};
}

Result<void> set_rotation_rules(Config& config, std::string_view value) {
  const auto rules = kms::parse_rotation_rules(value);
  if (!rules) return bad_value(value, "2024 or 2025");
  config.kms.rotation_rules = *rules;
  return {};
}

Result<void> set_client_certificates(Config& config, std::string_view value) {
  return set_word<http::ClientCertificates>(config.tls.client_certificates, value,
                                            {{"none", http::ClientCertificates::kNotAsked},
                                             {"optional", http::ClientCertificates::kOptional},
                                             {"required", http::ClientCertificates::kRequired}});
}

Result<void> set_material_deadline(Config& config, std::string_view value) {
  TRY_ASSIGN(config.kms.material_deadline, parse_duration(value));
  return {};
}

Result<void> set_token_module(Config& config, std::string_view value) {
  if (value.empty()) return bad_value(value, "the path of a PKCS#11 module");
  config.profile_overrides.push_back("module.path=" + std::string(value));
  return {};
}

Result<void> set_pin_source(Config& config, std::string_view value) {
  TRY_ASSIGN(config.pin_source, parse_pin_source(value));
  return {};
}

Result<void> set_token_uri(Config& config, std::string_view value) {
  if (!value.starts_with("pkcs11:")) return bad_value("...", "a pkcs11: URI");
  config.token_uri = value;
  return {};
}

using Form = ValueForm;

constexpr auto kKeys = std::to_array<ConfigKey>({
    {"account", "000000000000", "account that keys are made in", set_account},
    {"admin.key_metrics", "1000",
     "keys whose rotations left and invocations `/metrics` tells one by one; the others only in "
     "sums",
     set_key_metrics, Form::kNumber, UsedBy::kServe},
    {"admin.listen", "127.0.0.1:8791",
     "address of `/livez`, `/readyz` and `/metrics`; `none`: there is none. Whoever reaches it "
     "sees key ids",
     set_admin_listen, Form::kText, UsedBy::kServe},
    {"administrator", "user/admin", "principal that may do everything", set_administrator},
    {"audit.durability", "grouped",
     "events of uses of keys; `grouped`: on disk within 50 ms of the reply; `before-reply`: before "
     "it. Those of changes are always on disk before the reply",
     set_audit_durability},
    {"audit.folder", "`audit` in data.folder", "folder of the audit trail",
     set_path<&Config::audit_folder>, Form::kText, UsedBy::kServe},
    {"control.socket", "`keyhold.sock` in data.folder",
     "socket through which the operator's commands reach the service",
     set_path<&Config::control_socket>, Form::kText, UsedBy::kServe},
    {"data.folder", "/var/lib/keyhold", "folder that one service keeps its state in",
     set_path<&Config::data_folder>, Form::kText, UsedBy::kServe},
    {"dev.clock_offset", "0s",
     "moves rotation and deletion dates closer, as if this time had passed (365d, 12h)",
     set_clock_offset, Form::kText, UsedBy::kDev},
    {"dev.tls", "false", "TLS with a certificate made for this folder, `certificate.pem`",
     set_dev_tls, Form::kSwitch, UsedBy::kDev},
    {"drain.deadline", "25s",
     "how long calls that run may take to end after SIGTERM; what runs then is cut off",
     set_drain_deadline},
    {"http.body_limit", "1048576", "bytes of one request's body",
     set_count<&http::ServerOptions::body_limit, 1024, 64 * kMiB>, Form::kNumber},
    {"http.body_read_timeout", "30s", "for a whole body to arrive",
     set_timeout<&http::ServerOptions::body_read_timeout>},
    {"http.header_limit", "16384", "bytes of request line and fields",
     set_count<&http::ServerOptions::header_limit, 4096, kMiB>, Form::kNumber},
    {"http.header_read_timeout", "10s", "for request line and fields to arrive",
     set_timeout<&http::ServerOptions::header_read_timeout>},
    {"http.heavy_worker_threads", "4", "calls that write to the store or token, at once",
     set_count<&http::ServerOptions::heavy_worker_threads, 1, 256>, Form::kNumber},
    {"http.idle_timeout", "90s", "how long a connection may say nothing between requests",
     set_timeout<&http::ServerOptions::idle_timeout>},
    {"http.io_threads", "2", "threads that read and write sockets",
     set_count<&http::ServerOptions::io_threads, 1, 64>, Form::kNumber},
    {"http.light_work", "in-place",
     "in-place: calls that only read memory and use the token are worked on by the threads that "
     "read sockets, while they are quick; pool: by workers",
     set_light_work},
    {"http.max_connections", "10000",
     "connections open at once; beyond it the oldest idle one is closed for a new one",
     set_count<&http::ServerOptions::max_connections, 1, 1'000'000>, Form::kNumber},
    {"http.queue_limit", "1024", "requests that may wait for a worker before callers are throttled",
     set_count<&http::ServerOptions::queue_limit, 1, 1'000'000>, Form::kNumber},
    {"http.total_body_limit", "268435456", "bytes of all requests' bodies together",
     set_count<&http::ServerOptions::total_body_limit, kMiB, 64 * 1024 * kMiB>, Form::kNumber},
    {"http.worker_threads", "4", "light calls that workers work on at once",
     set_count<&http::ServerOptions::worker_threads, 1, 256>, Form::kNumber},
    {"http.write_timeout", "30s", "for an answer to be taken by the client",
     set_timeout<&http::ServerOptions::write_timeout>},
    {"limits.burst", "100", "calls that one principal may make at once after a pause",
     set_rate<&RateLimit::burst, 1>, Form::kNumber, UsedBy::kAll, Reload::kYes},
    {"limits.requests_per_second", "0",
     "calls of one principal, beyond which it gets ThrottlingException; 0: no limit",
     set_rate<&RateLimit::requests_per_second, 0>, Form::kNumber, UsedBy::kAll, Reload::kYes},
    {"listen.address", "127.0.0.1:8790", "address of the API", set_listen, Form::kText,
     UsedBy::kServe},
    {"listen.insecure", "false",
     "true: without TLS, an address that is not loopback is listened on all the same: requests, "
     "plaintexts among them, cross the network in clear",
     set_insecure, Form::kSwitch, UsedBy::kServe},
    {"log.form", "json", "json or text", set_log_form},
    {"log.level", "info", "debug, info, warning or error", set_log_level, Form::kText, UsedBy::kAll,
     Reload::kYes},
    {"principals.file", "none",
     "JSON file of users, groups and roles beside those of the store; read again when it changes",
     set_principals_file},
    {"principals.unknown", "accept",
     "accept: key policies and grants may name users and roles that are not there; refuse: they "
     "may "
     "not, as in AWS",
     set_unknown_principals},
    {"regions", "all", "names of the regions that answer", set_regions, Form::kList},
    {"rotation.rules", "2024",
     "2024: 10 on-demand rotations a key; 2025: 25 (AWS's page of either year)",
     set_rotation_rules},
    {"store.path", "`keyhold.db` in data.folder", "SQLite database; on a local file system",
     set_path<&Config::store_path>, Form::kText, UsedBy::kServe},
    {"tls.certificate", "none", "PEM file, the service's certificate first, then its issuers'",
     set_tls_file<&TlsFiles::certificate>, Form::kText, UsedBy::kServe, Reload::kYes},
    {"tls.client_authorities", "none", "PEM file of who may have signed client certificates",
     set_tls_file<&TlsFiles::client_authorities>, Form::kText, UsedBy::kServe, Reload::kYes},
    {"tls.client_certificates", "none",
     "none: they are not asked for; optional: one that is shown must be good; required",
     set_client_certificates, Form::kText, UsedBy::kServe, Reload::kYes},
    {"tls.private_key", "none", "PEM file, not encrypted", set_tls_file<&TlsFiles::private_key>,
     Form::kText, UsedBy::kServe, Reload::kYes},
    {"token.deadline", "20s",
     "how long CreateKey and RotateKeyOnDemand wait for the token before they answer without it",
     set_material_deadline},
    {"token.module", "the profile's", "path of the PKCS#11 module", set_token_module},
    {"token.pin_source", "none",
     "where the token's PIN is: `file:/PATH`, `credential:NAME` (systemd's), `environment:NAME`",
     set_pin_source, Form::kText, UsedBy::kServe},
    {"token.profile", "SoftHSM's", "profile of the token's family, a file as those of hsm-config/",
     set_path<&Config::token_profile>, Form::kText, UsedBy::kServe},
    {"token.softhsm_folder", "none",
     "folder of a SoftHSM token of the service's own, which `keyhold init` makes",
     set_path<&Config::softhsm_folder>, Form::kText, UsedBy::kServe},
    {"token.uri", "none",
     "`pkcs11:` URI of the token (token, serial, module-path, pin-source), in place of the "
     "profile's label and serial",
     set_token_uri, Form::kText, UsedBy::kServe},
});

}  // namespace

std::span<const ConfigKey> config_keys() { return kKeys; }

const ConfigKey* find_config_key(std::string_view name) {
  const auto at = std::ranges::find(kKeys, name, &ConfigKey::name);
  return at == kKeys.end() ? nullptr : &*at;
}

}  // namespace keyhold::app

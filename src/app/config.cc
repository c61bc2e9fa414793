#include "app/config.h"

#include <algorithm>
#include <charconv>
#include <filesystem>

#include "app/config_value.h"
#include "app/data_folder.h"

namespace keyhold::app {
namespace {

std::string in_data_folder(const Config& config, const std::string& given, std::string_view name) {
  return given.empty() ? (std::filesystem::path(config.data_folder) / name).string() : given;
}

/// Whether one socket keeps the other from being opened.
bool collide(const ListenAddress& one, const ListenAddress& other) {
  if (one.port == 0 || one.port != other.port) return false;
  const auto covers = [](const std::string& host, const std::string& rest) {
    const bool is_v4 = rest.find(':') == std::string::npos;
    return host == rest || host == "::" || (host == "0.0.0.0" && is_v4);
  };
  return covers(one.host, other.host) || covers(other.host, one.host);
}

}  // namespace

http::ServerOptions server_defaults() {
  http::ServerOptions options;
  options.heavy_worker_threads = 4;
  options.light_work = http::LightWork::kInPlace;
  return options;
}

std::string Config::store_file() const { return in_data_folder(*this, store_path, kStoreFile); }
std::string Config::audit_path() const { return in_data_folder(*this, audit_folder, kAuditFolder); }
std::string Config::socket_file() const {
  return in_data_folder(*this, control_socket, kSocketFile);
}

Result<ListenAddress> parse_listen_address(std::string_view text) {
  constexpr std::string_view kWanted = "HOST:PORT, with a numeric address";
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos || colon == 0) return bad_value(text, kWanted);
  std::string_view host = text.substr(0, colon);
  const bool bracketed = host.starts_with('[') && host.ends_with(']');
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (!bracketed && host.find(':') != std::string_view::npos) return bad_value(text, kWanted);
  if (host.empty()) return bad_value(text, kWanted);
  ListenAddress address;
  const auto port = parse_number<std::uint16_t>(text.substr(colon + 1), 0, 65535, "a port");
  if (!port) return bad_value(text, kWanted);
  address.port = *port;
  address.host = host == "localhost" ? "127.0.0.1" : host;
  return address;
}

bool is_loopback(const ListenAddress& address) {
  return address.host == "::1" || address.host.starts_with("127.");
}

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
    config.settings.insert_or_assign(std::string(name), value);
    return {};
  }
  const ConfigKey* key = find_config_key(name);
  if (key == nullptr) {
    return Error(ErrorCode::kValidation,
                 "there is no configuration key '" + std::string(name) + "'");
  }
  const auto set = key->set(config, value);
  if (!set) {
    return Error(ErrorCode::kValidation,
                 "configuration key " + std::string(name) + ": " + set.error().message());
  }
  config.settings.insert_or_assign(std::string(name), value);
  return {};
}

std::vector<ConfigConflict> find_conflicts(const Config& config) {
  std::vector<ConfigConflict> found;
  const auto conflict = [&found](std::string key, std::string sentence) {
    found.push_back({std::move(key), std::move(sentence)});
  };
  const TlsFiles& tls = config.tls;
  if (tls.certificate.empty()) {
    if (!tls.private_key.empty()) conflict("tls.private_key", "needs tls.certificate");
    if (!is_loopback(config.listen) && config.plain == PlainConnections::kOnLoopback) {
      conflict("listen.address", config.listen.host +
                                     " is not a loopback address, and there is no TLS: set "
                                     "tls.certificate, or listen.insecure = true");
    }
  } else if (tls.private_key.empty()) {
    conflict("tls.certificate", "needs tls.private_key");
  }
  const bool asked = tls.client_certificates != http::ClientCertificates::kNotAsked;
  if (asked && tls.client_authorities.empty()) {
    conflict("tls.client_certificates", "needs tls.client_authorities");
  }
  if (asked && tls.certificate.empty()) {
    conflict("tls.client_certificates", "needs tls.certificate");
  }
  if (!asked && !tls.client_authorities.empty()) {
    conflict("tls.client_authorities", "needs tls.client_certificates to ask for any");
  }
  if (config.http.total_body_limit < config.http.body_limit) {
    conflict("http.total_body_limit", "must not be less than http.body_limit");
  }
  if (!config.softhsm_folder.empty() && !config.token_uri.empty()) {
    conflict("token.softhsm_folder", "says which token is meant, and so does token.uri");
  }
  if (config.pin_source.kind == PinSource::Kind::kNone && config.token_uri.empty()) {
    conflict("token.pin_source", "is missing: it says where the token's PIN is read from");
  }
  const auto& admin = config.admin_listen;
  if (admin && collide(*admin, config.listen)) {
    conflict("admin.listen", *admin == config.listen
                                 ? "is the address of listen.address"
                                 : "is covered by listen.address, which has the same port");
  }
  return found;
}

}  // namespace keyhold::app

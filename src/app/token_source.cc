#include "app/token_source.h"

#include <filesystem>

#include "app/dev_profile.h"
#include "token/softhsm.h"
#include "token/token_uri.h"

namespace keyhold::app {

Result<token::Profile> read_token_profile(const Config& config) {
  std::vector<std::string> overrides;
  if (!config.token_uri.empty()) {
    TRY_ASSIGN(auto address, token::read_token_uri(config.token_uri));
    overrides = std::move(address.overrides);
  }
  if (!config.softhsm_folder.empty()) {
    overrides = token::softhsm_overrides(config.softhsm_folder, kTokenLabel);
  }
  overrides.insert(overrides.end(), config.profile_overrides.begin(),
                   config.profile_overrides.end());
  if (config.token_profile.empty()) return token::parse_profile(kDevProfile, overrides);
  return token::read_profile(config.token_profile, overrides);
}

namespace {

Result<PinSource> pin_source_of(const Config& config) {
  if (config.pin_source.kind != PinSource::Kind::kNone || config.token_uri.empty()) {
    return config.pin_source;
  }
  TRY_ASSIGN(const auto address, token::read_token_uri(config.token_uri));
  if (address.pin_source.empty()) return config.pin_source;
  return parse_pin_source(address.pin_source);
}

}  // namespace

Result<Secret> read_token_pin(const Config& config) {
  TRY_ASSIGN(const PinSource source, pin_source_of(config));
  return read_pin(source);
}

Result<void> check_token_pin(const Config& config) {
  TRY_ASSIGN(const PinSource source, pin_source_of(config));
  std::error_code error;
  const bool is_made_later =
      !config.softhsm_folder.empty() && source.kind == PinSource::Kind::kFile &&
      token::softhsm_token(config.softhsm_folder) == token::SoftHsmToken::kNone &&
      !std::filesystem::exists(source.name, error);
  if (is_made_later) return {};
  return check_pin(source);
}

Error unusable_token(const Error& error) {
  if (error.code() == ErrorCode::kValidation) return error;
  return Error(ErrorCode::kValidation,
               "the token cannot be used: " +
                   std::string(error.detail().empty() ? error.message() : error.detail()));
}

Result<std::unique_ptr<token::Pkcs11Token>> open_token(const token::Profile& profile, Secret pin,
                                                       const Clock& clock, Random& random,
                                                       token::WhenAbsent when_absent) {
  auto opened = token::Pkcs11Token::open(profile, std::move(pin), clock, random, when_absent);
  if (!opened) return unusable_token(opened.error());
  return opened;
}

}  // namespace keyhold::app

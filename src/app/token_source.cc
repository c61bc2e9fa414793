#include "app/token_source.h"

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

Result<Secret> read_token_pin(const Config& config) {
  if (config.pin_source.kind != PinSource::Kind::kNone) return read_pin(config.pin_source);
  if (!config.token_uri.empty()) {
    TRY_ASSIGN(const auto address, token::read_token_uri(config.token_uri));
    if (!address.pin_source.empty()) {
      TRY_ASSIGN(const auto source, parse_pin_source(address.pin_source));
      return read_pin(source);
    }
  }
  return read_pin(PinSource{});
}

}  // namespace keyhold::app

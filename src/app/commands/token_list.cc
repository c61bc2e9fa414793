#include "app/commands/token_list.h"

#include <iostream>

#include "app/commands/command_error.h"
#include "app/config_file.h"
#include "app/run_as.h"
#include "app/token_source.h"
#include "token/token_check.h"

namespace keyhold::app {
namespace {

/// Any token of the module: what the profile selects is not asked.
constexpr const char* kAnyToken = "token.label=any";

Result<token::Profile> profile_of(const std::string& config_path, const std::string& module) {
  if (config_path.empty()) {
    if (module.empty()) {
      return Error(ErrorCode::kValidation, "--config or --module says whose tokens are meant");
    }
    const std::string overrides[] = {"module.path=" + module, kAnyToken};
    return token::parse_profile("", overrides);
  }
  TRY_ASSIGN(const Config config, load_config(config_path));
  TRY(become_owner_of(config.data_folder));
  return read_token_profile(config);
}

Result<void> list(const std::string& config_path, const std::string& module) {
  TRY_ASSIGN(const auto profile, profile_of(config_path, module));
  TRY_ASSIGN(const auto tokens, token::list_tokens(profile));
  for (const auto& each : tokens) {
    std::cout << "'" << each.label << "', serial " << each.serial << ", " << each.manufacturer
              << " " << each.model << "\n";
  }
  if (tokens.empty()) std::cout << "the module has no initialised token\n";
  return {};
}

}  // namespace

int run_token_list(const std::string& config_path, const std::string& module) {
  log::set_level(log::Level::kError);
  const auto listed = list(config_path, module);
  return listed ? 0 : report_error(listed.error());
}

}  // namespace keyhold::app

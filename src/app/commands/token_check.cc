#include "app/commands/token_check.h"

#include <CLI/CLI.hpp>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "app/commands/token_check_report.h"
#include "app/commands/token_list.h"
#include "app/pin_source.h"
#include "base/log.h"
#include "base/random.h"
#include "token/token_uri.h"

namespace keyhold::app {
namespace {

constexpr int kNotAdmitted = 1;
constexpr int kUsersFault = 2;

/// A profile of a module alone, which a token of it is then chosen for.
constexpr std::string_view kAnyToken = "any";

Result<token::Profile> read(const std::string& file, std::vector<std::string> overrides) {
  if (!file.empty()) return token::read_profile(file, overrides);
  return token::parse_profile("", overrides);
}

Result<Secret> read_first_line(std::istream& in) {
  std::string line;
  std::getline(in, line);
  std::string_view text = line;
  Secret pin(text.substr(0, text.find_first_of("\r\n")));
  wipe(line.data(), line.size());
  if (pin.empty()) return Error(ErrorCode::kValidation, "there is no PIN on standard input");
  return pin;
}

/// The one token that is meant, or which there are.
Result<std::string> choose_token(const token::Profile& profile) {
  TRY_ASSIGN(const auto found, token::list_tokens(profile));
  if (found.size() == 1) return found.front().serial;
  std::string sentence = found.empty() ? "the module has no initialised token"
                                       : "the module has several tokens; --label or --serial says "
                                         "which:";
  for (const auto& each : found) {
    sentence += "\n  '" + each.label + "', serial " + each.serial + ", " + each.manufacturer + " " +
                each.model;
  }
  return Error(ErrorCode::kValidation, std::move(sentence));
}

}  // namespace

void TokenCommands::add_to(CLI::App& cli) {
  CLI::App* token = cli.add_subcommand("token", "Look at PKCS#11 tokens");
  token->require_subcommand(1);
  list_ = token->add_subcommand("list", "Print the tokens of a module; nothing logs in");
  CLI::Option* config = list_->add_option("--config", config_, "A service's configuration file");
  CLI::Option* module = list_->add_option("--module", options_.module, "Path of a PKCS#11 module");
  module->excludes(config);
  check_ = token->add_subcommand(
      "check",
      "Try out a token with session keys that are gone afterwards: what it can do for KMS, what it "
      "must not do, and the profile it needs. Exit code 1 if it is not admitted");
  check_->add_option("--module", options_.module, "Path of the PKCS#11 module");
  check_->add_option("--profile", options_.profile, "Profile to begin with, as in hsm-config/");
  check_->add_option("--label", options_.label, "Label of the token, where there are several");
  check_->add_option("--serial", options_.serial, "Its serial number");
  check_->add_option("--uri", options_.uri,
                     "The token as a pkcs11: URI, as in token.uri; its pin-source is heeded");
  CLI::Option* file = check_->add_option("--pin-file", options_.pin_file,
                                         "File with the user PIN; - for standard input");
  check_
      ->add_option("--pin-source", options_.pin_source,
                   "Where the user PIN is, as in token.pin_source: file:/PATH, credential:NAME or "
                   "environment:NAME")
      ->excludes(file);
  check_->add_option("--set", options_.settings, "A single value of the profile")
      ->take_all()
      ->type_name("SECTION.KEY=VALUE")
      ->allow_extra_args(false);
  check_->add_option("--draft", options_.draft, "File to write the measured profile to");
  check_->add_flag("--all", options_.all, "Make RSA keys of every size too, which takes a while");
  check_->add_flag("--json", options_.json, "Print JSON");
}

/// From one of the places that a service's PIN comes from, or from standard input: never from the
/// command line.
Result<Secret> TokenCommands::read_user_pin(const std::string& source_of_uri) const {
  if (options_.pin_file == "-") return read_first_line(std::cin);
  if (!options_.pin_file.empty()) {
    const auto path = std::filesystem::absolute(options_.pin_file);
    return read_pin({PinSource::Kind::kFile, path.string()});
  }
  const std::string& text = options_.pin_source.empty() ? source_of_uri : options_.pin_source;
  if (text.empty()) {
    return Error(ErrorCode::kValidation,
                 "--pin-file, --pin-source or a pin-source of --uri says where the PIN is");
  }
  const auto source = parse_pin_source(text);
  if (!source) {
    return Error(ErrorCode::kValidation, "the PIN's source " + source.error().message());
  }
  return read_pin(*source);
}

Result<token::TokenCheck> TokenCommands::check() const {
  std::vector<std::string> overrides;
  token::TokenAddress address;
  if (!options_.uri.empty()) {
    TRY_ASSIGN(address, token::read_token_uri(options_.uri));
    overrides = address.overrides;
  }
  overrides.insert(overrides.end(), options_.settings.begin(), options_.settings.end());
  if (!options_.module.empty()) overrides.push_back("module.path=" + options_.module);
  if (!options_.label.empty()) overrides.push_back("token.label=" + options_.label);
  if (!options_.serial.empty()) overrides.push_back("token.serial=" + options_.serial);
  const bool is_named = !options_.label.empty() || !options_.serial.empty() ||
                        !options_.profile.empty() || !options_.uri.empty();
  TRY_ASSIGN(const Secret pin, read_user_pin(address.pin_source));
  if (!is_named) {
    overrides.push_back("token.label=" + std::string(kAnyToken));
    TRY_ASSIGN(const auto module, read(options_.profile, overrides));
    TRY_ASSIGN(const std::string serial, choose_token(module));
    overrides.back() = "token.serial=" + serial;
  }
  TRY_ASSIGN(const auto profile, read(options_.profile, overrides));
  SystemRandom random;
  return token::check_token(
      profile, pin, options_.all ? token::ProbedSizes::kEach : token::ProbedSizes::kOne, random);
}

std::optional<int> TokenCommands::run() {
  if (list_ != nullptr && list_->parsed()) return run_token_list(config_, options_.module);
  if (check_ == nullptr || !check_->parsed()) return std::nullopt;
  log::set_level(log::Level::kError);  // what it would warn of is printed
  const auto checked = check();
  if (!checked) {
    std::cerr << "keyhold: " << checked.error().message() << "\n";
    return kUsersFault;
  }
  if (options_.json) {
    std::cout << check_as_json(*checked) << "\n";
  } else {
    print_check(*checked);
    if (options_.draft.empty()) std::cout << "\nprofile\n\n" << checked->draft;
  }
  if (!options_.draft.empty() && !(std::ofstream(options_.draft) << checked->draft)) {
    std::cerr << "keyhold: " << options_.draft << " cannot be written\n";
    return kUsersFault;
  }
  return checked->is_admitted() ? 0 : kNotAdmitted;
}

}  // namespace keyhold::app

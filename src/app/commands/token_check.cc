#include "app/commands/token_check.h"

#include <CLI/CLI.hpp>
#include <fstream>
#include <iostream>

#include "app/commands/token_list.h"
#include "app/data_folder.h"
#include "base/json.h"
#include "base/log.h"
#include "base/random.h"
#include "token/token_check.h"

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

/// The PIN: a file's first line, standard input's for `-`. Never on the command line.
Result<Secret> read_pin(const std::string& file) {
  std::string line;
  if (file.empty()) {
    return Error(ErrorCode::kValidation, "--pin-file names the file that the PIN is in, or -");
  }
  if (file == "-") {
    std::getline(std::cin, line);
  } else {
    TRY_ASSIGN(line, read_file(file));
  }
  std::string_view text = line;
  text = text.substr(0, text.find_first_of("\r\n"));
  Secret pin(text);
  wipe(line.data(), line.size());
  if (pin.view().empty()) return Error(ErrorCode::kValidation, "there is no PIN in " + file);
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

std::string_view mark(token::Outcome outcome) { return to_string(outcome); }

void print_row(std::string_view word, std::string_view what, std::string_view detail) {
  std::cout << "  " << word << std::string(word.size() < 12 ? 12 - word.size() : 1, ' ') << what;
  if (!detail.empty()) std::cout << ": " << detail;
  std::cout << "\n";
}

std::string_view place_word(const token::Capability& seen) {
  switch (seen.place) {
    case token::Place::kToken:
      return "token";
    case token::Place::kHost:
      return "service";
    case token::Place::kNowhere:
      break;
  }
  return "nowhere";
}

template <typename Use>
void for_each_algorithm(const token::TokenCheck& check, const Use& use) {
  for (const KeySpecRow& spec : key_spec_rows()) {
    for (const Algorithm algorithm : spec.algorithms) {
      use(spec.spec, algorithm, check.capabilities.of(spec.spec, algorithm));
    }
  }
}

void print_text(const token::TokenCheck& check) {
  std::cout << "token '" << check.identity.label << "', serial " << check.identity.serial << ", "
            << check.identity.manufacturer << " " << check.identity.model << ", firmware "
            << check.firmware << ", Cryptoki " << check.cryptoki << "\n";
  std::cout << "\nneeded for symmetric keys\n";
  for (const auto& act : check.admission.needed) print_row(mark(act.outcome), act.act, act.detail);
  std::cout << "\nmust not be possible\n";
  for (const auto& act : check.admission.forbidden) {
    print_row(mark(act.outcome), act.act, act.detail);
  }
  std::cout << "\nknown answers\n";
  for (const auto& answer : check.known_answers) {
    print_row(answer.outcome == token::Outcome::kSucceeded ? "right"
              : answer.outcome == token::Outcome::kRefused ? "WRONG"
                                                           : "not shown",
              answer.name + " (" + answer.source + ")", answer.detail);
  }
  std::cout << "\nalgorithms\n";
  for_each_algorithm(check, [](KeySpec spec, Algorithm algorithm, const token::Capability& seen) {
    const std::string name = std::string(to_string(spec)) + " " + std::string(to_string(algorithm));
    const std::string said = seen.said.empty() ? "" : " (" + seen.said + ")";
    print_row(place_word(seen), name, seen.lacks + said);
  });
  std::cout << "\nwhat it serves of KMS\n";
  for (const auto& [feature, served] : check.features()) {
    print_row(served ? "yes" : "no", feature, served ? "" : served.error().message());
  }
  std::cout << "\n";
  if (!check.advice.empty()) {
    std::cout << "what to know\n";
    for (const auto& sentence : check.advice) std::cout << "  - " << sentence << "\n";
    std::cout << "\n";
  }
  std::cout << (check.is_admitted() ? "admitted" : check.refusal) << "\n";
}

void write_acts(json::Writer& writer, std::string_view name,
                const std::vector<token::AdmissionAct>& acts) {
  writer.key(name).begin_array();
  for (const auto& act : acts) {
    writer.begin_object().key("act").string(act.act).key("outcome").string(mark(act.outcome));
    writer.key("detail").string(act.detail).end_object();
  }
  writer.end_array();
}

std::string as_json(const token::TokenCheck& check) {
  json::Writer writer;
  writer.begin_object().key("token").begin_object();
  writer.key("label").string(check.identity.label).key("serial").string(check.identity.serial);
  writer.key("manufacturer").string(check.identity.manufacturer);
  writer.key("model").string(check.identity.model).key("firmware").string(check.firmware);
  writer.key("cryptoki").string(check.cryptoki).end_object();
  writer.key("admitted").boolean(check.is_admitted()).key("refusal").string(check.refusal);
  write_acts(writer, "needed", check.admission.needed);
  write_acts(writer, "forbidden", check.admission.forbidden);
  writer.key("knownAnswers").begin_array();
  for (const auto& answer : check.known_answers) {
    writer.begin_object().key("name").string(answer.name).key("source").string(answer.source);
    writer.key("outcome").string(mark(answer.outcome)).key("detail").string(answer.detail);
    writer.end_object();
  }
  writer.end_array().key("algorithms").begin_array();
  for_each_algorithm(check, [&](KeySpec spec, Algorithm algorithm, const token::Capability& seen) {
    writer.begin_object().key("keySpec").string(to_string(spec));
    writer.key("algorithm").string(to_string(algorithm)).key("place").string(place_word(seen));
    writer.key("lacks").string(seen.lacks).key("detail").string(seen.said).end_object();
  });
  writer.end_array().key("features").begin_array();
  for (const auto& [feature, served] : check.features()) {
    writer.begin_object().key("feature").string(feature);
    writer.key("served").boolean(static_cast<bool>(served));
    writer.key("reason").string(served ? "" : served.error().message()).end_object();
  }
  writer.end_array().key("advice").begin_array();
  for (const auto& sentence : check.advice) writer.string(sentence);
  writer.end_array().key("profile").string(check.draft).end_object();
  return std::string(writer.text());
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
  check_
      ->add_option("--pin-file", options_.pin_file, "File with the user PIN; - for standard input")
      ->required();
  check_->add_option("--set", options_.settings, "A single value of the profile")
      ->take_all()
      ->type_name("SECTION.KEY=VALUE")
      ->allow_extra_args(false);
  check_->add_option("--draft", options_.draft, "File to write the measured profile to");
  check_->add_flag("--all", options_.all, "Make RSA keys of every size too, which takes a while");
  check_->add_flag("--json", options_.json, "Print JSON");
}

std::optional<int> TokenCommands::run() {
  if (list_ != nullptr && list_->parsed()) return run_token_list(config_, options_.module);
  if (check_ == nullptr || !check_->parsed()) return std::nullopt;
  log::set_level(log::Level::kError);  // what it would warn of is printed
  const auto checked = [&]() -> Result<token::TokenCheck> {
    std::vector<std::string> overrides = options_.settings;
    if (!options_.module.empty()) overrides.push_back("module.path=" + options_.module);
    if (!options_.label.empty()) overrides.push_back("token.label=" + options_.label);
    if (!options_.serial.empty()) overrides.push_back("token.serial=" + options_.serial);
    TRY_ASSIGN(Secret pin, read_pin(options_.pin_file));
    if (options_.label.empty() && options_.serial.empty() && options_.profile.empty()) {
      overrides.push_back("token.label=" + std::string(kAnyToken));
      TRY_ASSIGN(const auto module, read(options_.profile, overrides));
      TRY_ASSIGN(const std::string serial, choose_token(module));
      overrides.back() = "token.serial=" + serial;
    }
    TRY_ASSIGN(const auto profile, read(options_.profile, overrides));
    SystemRandom random;
    return token::check_token(
        profile, pin, options_.all ? token::ProbedSizes::kEach : token::ProbedSizes::kOne, random);
  }();
  if (!checked) {
    std::cerr << "keyhold: " << checked.error().message() << "\n";
    return kUsersFault;
  }
  if (options_.json) {
    std::cout << as_json(*checked) << "\n";
  } else {
    print_text(*checked);
    if (options_.draft.empty()) std::cout << "\nprofile\n\n" << checked->draft;
  }
  if (!options_.draft.empty() && !(std::ofstream(options_.draft) << checked->draft)) {
    std::cerr << "keyhold: " << options_.draft << " cannot be written\n";
    return kUsersFault;
  }
  return checked->is_admitted() ? 0 : kNotAdmitted;
}

}  // namespace keyhold::app

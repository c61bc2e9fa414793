// The command line.

#include <CLI/CLI.hpp>
#include <algorithm>
#include <iostream>
#include <span>
#include <string>
#include <string_view>

#include "app/commands/dev.h"
#include "app/commands/identity_commands.h"
#include "app/commands/init.h"
#include "app/commands/manual.h"
#include "app/commands/operator_commands.h"
#include "app/commands/serve.h"
#include "app/commands/token_check.h"
#include "app/commands/wrapping_key_commands.h"
#include "app/config.h"
#include "app/hardening.h"

namespace {

constexpr int kUsersFault = 2;

std::string settings_help() {
  std::string text = "Configuration keys for --set key=value:\n";
  for (const auto& key : keyhold::app::config_keys()) {
    if (key.used_by == keyhold::app::UsedBy::kServe) continue;
    text += "  " + std::string(key.name) + "  (default " + std::string(key.default_value) +
            ")\n      " + std::string(key.meaning) + "\n";
  }
  return text +
         "  profile.SECTION.KEY\n      a single value of the token's profile, as in hsm-config/\n";
}

/// The word that should be a command and is none, with those before it; empty: there is no such
/// word.
std::string unknown_command(const CLI::App& cli, std::span<char* const> words) {
  const CLI::App* at = &cli;
  std::string path;
  for (const std::string_view word : words) {
    if (word.starts_with('-') || at->get_require_subcommand_min() == 0) return "";
    const auto known =
        at->get_subcommands([word](const CLI::App* each) { return each->get_name() == word; });
    path += (path.empty() ? "" : " ") + std::string(word);
    if (known.empty()) return path;
    at = known.front();
  }
  return "";
}

int run(int argc, char** argv) {
  using namespace keyhold::app;
  CLI::App cli{
      "Keyhold: a key service that speaks AWS KMS's API and keeps every key in a PKCS#11 token"};
  cli.require_subcommand(1);
  cli.set_version_flag("--version", KEYHOLD_VERSION);

  DevOptions dev_options;
  CLI::App* dev = cli.add_subcommand(
      "dev", "Run a service for development: SoftHSM and SQLite in one folder, loopback only");
  dev->add_option("--data", dev_options.data,
                  "Folder for token and store; made if absent, kept if present. Without it a "
                  "temporary one is used and removed at the end");
  dev->add_option("--listen", dev_options.listen,
                  "Loopback address and port; port 0 picks a free one")
      ->capture_default_str();
  dev->add_option("--set", dev_options.settings, "Set a configuration key; may be given often")
      ->take_all()
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  dev->footer(settings_help() +
              "\nThe access key is taken from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY if they "
              "are set, else one is made.\nThe service ends at SIGTERM or SIGINT.");

  std::string config_path;
  const auto add_config = [&config_path](CLI::App* command) {
    command->add_option("--config", config_path, "The configuration file")->required();
    return command;
  };
  CLI::App* serve = add_config(cli.add_subcommand("serve", "Run a service"));
  serve->footer(
      "The service ends at SIGTERM or SIGINT; at SIGHUP it reads the file again and says what a "
      "restart is needed for.");
  CLI::App* init = add_config(cli.add_subcommand(
      "init", "Prepare token and store, and make the administrator; prints its access key once"));
  CLI::App* config = cli.add_subcommand("config", "Look at a configuration file");
  config->require_subcommand(1);
  CLI::App* config_check =
      add_config(config->add_subcommand("check", "Print every problem with its line"));

  OperatorOptions operator_options;
  bool as_json = false;
  CLI::App* key = cli.add_subcommand("key", "Look at keys of a running service");
  key->require_subcommand(1);
  CLI::App* inspect = key->add_subcommand(
      "inspect", "Show a key's materials and what the token itself says of each");
  add_place(*inspect, operator_options.place);
  inspect->add_option("key_id", operator_options.key_id, "The key's id")->required();
  inspect->add_flag("--json", as_json, "Print JSON");
  IdentityCommands identity_commands;
  identity_commands.add_to(cli);
  TokenCommands token_commands;
  token_commands.add_to(cli);
  WrappingKeyCommands wrapping_key_commands;
  wrapping_key_commands.add_to(cli);
  CLI::App* reconcile = cli.add_subcommand(
      "reconcile", "Compare store and token of a running service; exit code 1 if a key is missing");
  add_place(*reconcile, operator_options.place);
  reconcile->add_flag("--json", as_json, "Print JSON");

  // For the package's build.
  std::string folder;
  CLI::App* manual = cli.add_subcommand("print-manual", "Write the man pages")->group("");
  manual->add_option("folder", folder, "Where to")->required();
  CLI::App* completion = cli.add_subcommand("print-completion", "Print bash's")->group("");

  try {
    cli.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return cli.exit(error);  // --help, --version
    const std::span<char* const> words(argv + 1, argv + std::max(argc, 1));
    const std::string unknown = unknown_command(cli, words);
    std::cerr << "keyhold: "
              << (unknown.empty() ? error.what()
                                  : "there is no command '" + unknown + "'; --help names them")
              << "\n";
    return kUsersFault;
  }
  operator_options.form = as_json ? OutputForm::kJson : OutputForm::kText;
  if (dev->parsed()) return run_dev(dev_options);
  if (manual->parsed()) return write_manual(cli, KEYHOLD_VERSION, folder) == Written::kYes ? 0 : 1;
  if (completion->parsed()) {
    std::cout << print_completion(cli);
    return 0;
  }
  if (serve->parsed()) return run_serve(config_path);
  if (init->parsed()) return run_init(config_path);
  if (config_check->parsed()) return run_config_check(config_path);
  if (const auto status = identity_commands.run()) return *status;
  if (const auto status = token_commands.run()) return *status;
  if (const auto status = wrapping_key_commands.run()) return *status;
  if (inspect->parsed()) return run_key_inspect(operator_options);
  return run_reconcile(operator_options);
}

}  // namespace

int main(int argc, char** argv) {
  keyhold::app::harden_process();
  try {
    return run(argc, argv);
  } catch (const std::exception& bug) {
    std::cerr << "keyhold: " << bug.what() << "\n";
    return 1;
  }
}

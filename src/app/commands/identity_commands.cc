#include "app/commands/identity_commands.h"

#include <fstream>
#include <iostream>
#include <iterator>
#include <span>
#include <sstream>

#include "base/json.h"

namespace keyhold::app {
namespace {

constexpr int kUsersFault = 2;

std::optional<std::string> read_definition(const std::string& path) {
  if (path == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  std::ifstream file(path);
  if (!file) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(file), {});
}

/// One line: the socket's requests are.
std::string on_one_line(std::string text) {
  for (char& c : text) {
    if (c == '\n' || c == '\r') c = ' ';  // JSON has them between its words only
  }
  return text;
}

}  // namespace

CLI::App* IdentityCommands::add_command(CLI::App& group, const std::string& name,
                                        const std::string& help) {
  CLI::App* command = group.add_subcommand(name, help);
  add_place(*command, options_.place);
  return command;
}

void IdentityCommands::add_to(CLI::App& cli) {
  principal_ = cli.add_subcommand("principal", "Users, groups and roles of a running service");
  principal_->require_subcommand(1);
  add_command(*principal_, "put", "Make or replace a principal from its JSON definition")
      ->add_option("file", options_.file, "The definition; - reads it from standard input")
      ->required();
  CLI::App* remove = add_command(*principal_, "remove", "Remove a principal");
  remove->add_option("name", options_.name, "user/NAME, group/NAME or role/NAME")->required();
  remove->add_option("--account", options_.account, "Its account");
  add_command(*principal_, "list", "Print every principal's definition as JSON");
  add_command(*principal_, "reload", "Read the store and the file anew");
  CLI::App* revoke =
      add_command(*principal_, "revoke", "Revoke the temporary credentials issued until now");
  CLI::Option* role = revoke->add_option("--role", options_.name, "Those of role/NAME");
  revoke->add_option("--account", options_.account, "The role's account");
  revoke->add_option("--access-key", options_.access_key_id, "Those of this access key id")
      ->excludes(role);

  credential_ = cli.add_subcommand("credential", "Access keys of a running service");
  credential_->require_subcommand(1);
  CLI::App* create =
      add_command(*credential_, "create", "Make an access key; its secret is printed this once");
  create->add_option("principal", options_.name, "user/NAME, or root")->required();
  create->add_option("--account", options_.account, "The principal's account");
  add_command(*credential_, "list", "Print the access keys, without their secrets");
  add_command(*credential_, "rotate",
              "Make another access key for an access key's principal; the old one works until it "
              "is disabled")
      ->add_option("access_key_id", options_.access_key_id, "The old access key's id")
      ->required();
  for (const char* name : {"disable", "enable"}) {
    add_command(*credential_, name, std::string(name) + " an access key")
        ->add_option("access_key_id", options_.access_key_id, "The access key's id")
        ->required();
  }

  policy_ = cli.add_subcommand("policy", "What policies and grants of a running service say");
  policy_->require_subcommand(1);
  CLI::App* explain =
      add_command(*policy_, "explain",
                  "Print whether a call would be allowed, and which statement or grant says so");
  explain->add_option("--principal", options_.principal, "ARN of a user, a session or root")
      ->required();
  explain->add_option("--action", options_.action, "The action, as kms:Encrypt")->required();
  explain->add_option("--key", options_.key, "Id, ARN or alias of the key");
  explain->add_option("--region", options_.region, "Where the call is made")->capture_default_str();
  explain->add_option("--source-ip", options_.source_ip, "The caller's address");
  explain->add_option("--context", options_.context, "A pair of the encryption context")
      ->take_all()
      ->type_name("NAME=VALUE")
      ->allow_extra_args(false);
}

std::optional<std::string> IdentityCommands::explanation_request() const {
  json::Writer writer;
  writer.begin_object().key("command").string("policy.explain");
  writer.key("principal").string(options_.principal).key("action").string(options_.action);
  writer.key("key").string(options_.key).key("region").string(options_.region);
  writer.key("sourceIp").string(options_.source_ip).key("context").begin_object();
  for (const std::string& pair : options_.context) {
    const std::size_t equals = pair.find('=');
    if (equals == std::string::npos) return std::nullopt;
    writer.key(pair.substr(0, equals)).string(pair.substr(equals + 1));
  }
  writer.end_object().end_object();
  return std::string(writer.text());
}

std::optional<std::string> IdentityCommands::request() const {
  if (policy_->parsed()) return explanation_request();
  const CLI::App* group = principal_->parsed() ? principal_ : credential_;
  const std::string command = group->get_subcommands().front()->get_name();
  json::Writer writer;
  writer.begin_object().key("command").string(group->get_name() + "." + command);
  if (!options_.account.empty()) writer.key("account").string(options_.account);
  if (!options_.access_key_id.empty()) writer.key("accessKeyId").string(options_.access_key_id);
  if (!options_.name.empty()) {
    const char* member = group == credential_ ? "principal" : command == "revoke" ? "role" : "name";
    writer.key(member).string(options_.name);
  }
  if (!options_.file.empty()) {
    auto text = read_definition(options_.file);
    if (!text) return std::nullopt;
    // A text that is not JSON must not end the request's own and go on with another.
    std::string copy = *text;
    const auto parsed =
        json::Document::parse(std::span(reinterpret_cast<std::uint8_t*>(copy.data()), copy.size()));
    if (!parsed) return std::nullopt;
    writer.key("definition").raw(on_one_line(std::move(*text)));
  }
  writer.end_object();
  return std::string(writer.text());
}

std::optional<int> IdentityCommands::run() {
  if (!principal_->parsed() && !credential_->parsed() && !policy_->parsed()) return std::nullopt;
  const auto asked = request();
  if (!asked) {
    std::cerr << "keyhold: "
              << (policy_->parsed() ? "--context takes NAME=VALUE"
                                    : options_.file + " cannot be read or is not JSON")
              << "\n";
    return kUsersFault;
  }
  const auto answer = ask(options_.place, *asked);
  if (!answer) {
    std::cerr << "keyhold: " << answer.error().message() << "\n";
    return kUsersFault;
  }
  if (*answer != "{}") std::cout << *answer << "\n";
  return 0;
}

}  // namespace keyhold::app

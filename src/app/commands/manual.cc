#include "app/commands/manual.h"

#include <fstream>
#include <functional>
#include <vector>

namespace keyhold::app {
namespace {

/// Text as roff: what begins a line with a dot or a quote is no request, and a dash is a dash.
std::string escaped(std::string_view text) {
  std::string roff;
  bool at_start = true;
  for (const char c : text) {
    if (at_start && (c == '.' || c == '\'')) roff += "\\&";
    if (c == '\\') {
      roff += "\\e";
    } else if (c == '-') {
      roff += "\\-";
    } else {
      roff += c;
    }
    at_start = c == '\n';
  }
  return roff;
}

/// Commands that are shown: those without a group are the build's own.
std::vector<const CLI::App*> commands_of(const CLI::App& command) {
  std::vector<const CLI::App*> shown;
  for (const CLI::App* sub : command.get_subcommands([](const CLI::App*) { return true; })) {
    if (!sub->get_name().empty() && !sub->get_group().empty()) shown.push_back(sub);
  }
  return shown;
}

/// Options of a command and of the option groups in it.
std::vector<const CLI::Option*> options_of(const CLI::App& command) {
  std::vector<const CLI::Option*> all = command.get_options();
  for (const CLI::App* group : command.get_subcommands([](const CLI::App*) { return true; })) {
    if (!group->get_name().empty()) continue;
    const auto inner = options_of(*group);
    all.insert(all.end(), inner.begin(), inner.end());
  }
  return all;
}

std::string value_of(const CLI::Option& option) {
  return option.get_type_size() == 0 || option.get_positional() ? "" : option.get_type_name();
}

void write_page(std::ofstream& page, const CLI::App& command, const std::string& name,
                std::string_view version) {
  std::string title = name;
  for (char& c : title) c = c == ' ' ? '-' : c;
  page << ".TH " << escaped(title) << " 1 \"\" \"Keyhold " << version << "\" \"Keyhold\"\n"
       << ".SH NAME\n"
       << escaped(title) << " \\- " << escaped(command.get_description()) << "\n"
       << ".SH SYNOPSIS\n.B " << escaped(name) << "\n";
  if (!commands_of(command).empty()) page << ".I command\n";
  page << "[options]\n";
  for (const CLI::Option* option : command.get_options()) {
    if (option->get_positional()) page << ".I " << escaped(option->get_name(true)) << "\n";
  }
  if (const auto commands = commands_of(command); !commands.empty()) {
    page << ".SH COMMANDS\n";
    for (const CLI::App* sub : commands) {
      page << ".TP\n.B " << escaped(sub->get_name()) << "\n"
           << escaped(sub->get_description()) << "\n";
    }
  }
  page << ".SH OPTIONS\n";
  for (const CLI::Option* option : options_of(command)) {
    page << ".TP\n.B " << escaped(option->get_name(option->get_positional())) << " "
         << escaped(value_of(*option)) << "\n"
         << escaped(option->get_description());
    if (!option->get_default_str().empty()) {
      page << " (default " << escaped(option->get_default_str()) << ")";
    }
    page << "\n";
  }
  if (!command.get_footer().empty()) {
    page << ".SH NOTES\n.nf\n" << escaped(command.get_footer()) << "\n.fi\n";
  }
  page << ".SH EXIT STATUS\n"
          "0: done. 1: failed. 2: something has to be mended first. 75 (serve): to be started "
          "again.\n"
          ".SH SEE ALSO\n.BR keyhold (1),\n/usr/share/doc/keyhold\n";
}

void for_each_command(const CLI::App& command, const std::string& name,
                      const std::function<void(const CLI::App&, const std::string&)>& use) {
  use(command, name);
  for (const CLI::App* sub : commands_of(command)) {
    for_each_command(*sub, name + " " + sub->get_name(), use);
  }
}

}  // namespace

Written write_manual(const CLI::App& cli, std::string_view version, const std::string& folder) {
  Written written = Written::kYes;
  for_each_command(cli, "keyhold", [&](const CLI::App& command, const std::string& name) {
    std::string file = name;
    for (char& c : file) c = c == ' ' ? '-' : c;
    std::ofstream page(folder + "/" + file + ".1");
    write_page(page, command, name, version);
    page.close();
    if (!page) written = Written::kNo;
  });
  return written;
}

std::string print_completion(const CLI::App& cli) {
  std::string cases;
  std::string names;
  for_each_command(cli, "keyhold", [&](const CLI::App& command, const std::string& name) {
    std::string words;
    for (const CLI::App* sub : commands_of(command)) words += sub->get_name() + " ";
    for (const CLI::Option* option : options_of(command)) {
      for (const std::string& long_name : option->get_lnames()) words += "--" + long_name + " ";
    }
    names += name + "|";
    cases += "    \"" + name + "\") words=\"" + words + "\" ;;\n";
  });
  return "# bash completion for keyhold\n"
         "_keyhold() {\n"
         "  local current=${COMP_WORDS[COMP_CWORD]} command=keyhold words= i\n"
         "  local commands=\"|" +
         names +
         "\"\n"
         "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "    [[ $commands == *\"|$command ${COMP_WORDS[i]}|\"* ]] || break\n"
         "    command+=\" ${COMP_WORDS[i]}\"\n"
         "  done\n"
         "  case $command in\n" +
         cases +
         "  esac\n"
         "  COMPREPLY=()\n"
         "  if [[ $current == -* || ${COMP_WORDS[COMP_CWORD - 1]} != --* ]]; then\n"
         "    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
         "  fi\n"
         "  if ((${#COMPREPLY[@]} == 0)); then COMPREPLY=($(compgen -f -- \"$current\")); fi\n"
         "}\n"
         "complete -o filenames -F _keyhold keyhold\n";
}

}  // namespace keyhold::app

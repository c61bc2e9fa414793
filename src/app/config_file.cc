#include "app/config_file.h"

#include <toml++/toml.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <sstream>

#include "app/data_folder.h"
#include "app/tls_files.h"
#include "app/token_source.h"
#include "token/token_uri.h"

namespace keyhold::app {
namespace {

constexpr std::string_view kModuleEnvironment = "profile.module.env.";

std::size_t line_of(const toml::node& node) { return node.source().begin.line; }

std::string_view wanted_form(ValueForm form) {
  switch (form) {
    case ValueForm::kText:
      return "a string";
    case ValueForm::kNumber:
      return "a number";
    case ValueForm::kSwitch:
      return "true or false";
    case ValueForm::kList:
      return "a list of strings";
  }
  return "";
}

/// The value in the form that a key's setter takes; nothing if it is of another kind.
std::optional<std::string> value_of(const toml::node& node, ValueForm form) {
  switch (form) {
    case ValueForm::kText:
      return node.value_exact<std::string>();
    case ValueForm::kNumber:
      if (const auto number = node.value_exact<std::int64_t>()) return std::to_string(*number);
      return std::nullopt;
    case ValueForm::kSwitch:
      if (const auto truth = node.value_exact<bool>()) return *truth ? "true" : "false";
      return std::nullopt;
    case ValueForm::kList: {
      const toml::array* list = node.as_array();
      if (list == nullptr) return std::nullopt;
      std::string joined;
      for (const toml::node& element : *list) {
        const auto text = element.value_exact<std::string>();
        if (!text || text->find(',') != std::string::npos) return std::nullopt;
        joined += (joined.empty() ? "" : ",") + *text;
      }
      return joined;
    }
  }
  return std::nullopt;
}

class Reader {
 public:
  explicit Reader(ConfigCheck check) : check_(check) {}

  ConfigReading read(std::string_view text) {
    try {
      read_table(toml::parse(text), "");
    } catch (const toml::parse_error& error) {
      problem(error.source().begin.line, std::string(error.description()));
      return std::move(reading_);
    }
    // The table's order, for a key may be judged by one before it.
    for (const ConfigKey& key : config_keys()) {
      if (const auto found = values_.find(key.name); found != values_.end())
        set(key, found->second);
    }
    for (const auto& conflict : find_conflicts(reading_.config)) {
      problem(line_of_key(conflict.key), conflict.key + " " + conflict.sentence);
    }
    check_files();
    std::ranges::stable_sort(reading_.problems, {}, &ConfigProblem::line);
    return std::move(reading_);
  }

 private:
  struct Value {
    const toml::node* node;
    std::size_t line;
  };

  void problem(std::size_t line, std::string sentence) {
    reading_.problems.push_back({line, std::move(sentence)});
  }
  std::size_t line_of_key(std::string_view key) const {
    const auto at = lines_.find(key);
    return at == lines_.end() ? 0 : at->second;
  }

  void read_table(const toml::table& table, const std::string& prefix) {
    for (const auto& [key, node] : table) {
      const std::string name = prefix + std::string(key.str());
      if (name.starts_with(kProfilePrefix)) {
        if (const toml::table* inner = node.as_table()) {
          read_table(*inner, name + ".");
          continue;
        }
        add_profile_value(name, node);
      } else if (find_config_key(name) != nullptr) {
        lines_.emplace(name, line_of(node));
        take(*find_config_key(name), node);
      } else if (const toml::table* inner = node.as_table()) {
        read_table(*inner, name + ".");
      } else {
        problem(line_of(node), "there is no configuration key '" + name + "'");
      }
    }
  }

  void add_profile_value(const std::string& name, const toml::node& node) {
    std::ostringstream value;
    // A variable's value is taken as it stands, and anything else as TOML.
    if (name.starts_with(kModuleEnvironment)) {
      const auto text = node.value_exact<std::string>();
      if (!text) return problem(line_of(node), name + " must be a string");
      lines_.emplace(name, line_of(node));
      reading_.config.profile_overrides.push_back(name.substr(kProfilePrefix.size()) + "=" + *text);
      reading_.config.settings.insert_or_assign(name, *text);
      return;
    }
    node.visit([&value](const auto& typed) {
      if constexpr (!toml::is_table<decltype(typed)>) value << typed;
    });
    lines_.emplace(name, line_of(node));
    reading_.config.profile_overrides.push_back(name.substr(kProfilePrefix.size()) + "=" +
                                                value.str());
    reading_.config.settings.insert_or_assign(name, value.str());
  }

  void take(const ConfigKey& key, const toml::node& node) {
    if (key.used_by == UsedBy::kDev) {
      problem(line_of(node), std::string(key.name) + " is for `keyhold dev` alone");
      return;
    }
    auto value = value_of(node, key.form);
    if (!value) {
      problem(line_of(node),
              std::string(key.name) + " must be " + std::string(wanted_form(key.form)));
      return;
    }
    values_.emplace(key.name, std::move(*value));
  }

  void set(const ConfigKey& key, const std::string& value) {
    const auto set = key.set(reading_.config, value);
    if (!set) {
      problem(line_of_key(key.name), std::string(key.name) + ": " + set.error().message());
      return;
    }
    reading_.config.settings.insert_or_assign(std::string(key.name), value);
  }

  /// What the configuration names has to be there.
  void check_files() {
    const Config& config = reading_.config;
    const std::pair<std::string_view, const std::string&> files[] = {
        {"principals.file", config.principals_file},
        {"tls.certificate", config.tls.certificate},
        {"tls.client_authorities", config.tls.client_authorities},
        {"tls.private_key", config.tls.private_key}};
    bool is_tls_there = !config.tls.certificate.empty() && !config.tls.private_key.empty();
    for (const auto& [key, path] : files) {
      if (path.empty() || ::access(path.c_str(), R_OK) == 0) continue;
      if (key.starts_with("tls.")) is_tls_there = false;
      problem(line_of_key(key), std::string(key) + ": " + path + " cannot be read");
    }
    if (check_ == ConfigCheck::kStart && is_tls_there) check_tls();
    if (!config.token_uri.empty()) {
      if (const auto address = token::read_token_uri(config.token_uri); !address) {
        return problem(line_of_key("token.uri"), address.error().message());
      }
    }
    const auto profile = read_token_profile(config);
    if (!profile) {
      std::istringstream sentences(profile.error().message());
      for (std::string line; std::getline(sentences, line);) {
        problem(line_of_profile_problem(line), line);
      }
    } else if (check_ == ConfigCheck::kStart) {
      check_module(profile->module);
    }
    if (check_ == ConfigCheck::kStart) check_pin();
  }

  /// Of a value in this file, or of the line that names the profile.
  std::size_t line_of_profile_problem(std::string_view sentence) const {
    for (const auto& [name, line] : lines_) {
      if (!name.starts_with(kProfilePrefix)) continue;
      const std::string start = "profile: " + name.substr(kProfilePrefix.size()) + ":";
      if (sentence.starts_with(start)) return line;
    }
    return line_of_key("token.profile");
  }

  void check_module(const std::string& path) {
    // A bare name is looked for along the system's path.
    if (path.find('/') == std::string::npos || ::access(path.c_str(), R_OK) == 0) return;
    std::size_t line = line_of_key("token.profile");
    for (const char* key : {"token.uri", "token.module", "profile.module.path"}) {
      if (const std::size_t at = line_of_key(key); at != 0) line = at;
    }
    problem(line, "the token's module " + path + " cannot be read");
  }

  void check_tls() {
    const auto tls = check_tls_files(reading_.config.tls);
    if (tls) return;
    const std::string sentence = tls.error().message();
    const auto is_of = [&sentence](std::string_view what) {
      return sentence.find(what) != std::string::npos;
    };
    const char* key = is_of("client")        ? "tls.client_authorities"
                      : is_of("private key") ? "tls.private_key"
                                             : "tls.certificate";
    problem(line_of_key(key), std::string(key) + ": " + sentence);
  }

  void check_pin() {
    const Config& config = reading_.config;
    // That none is named is said already.
    if (config.pin_source.kind == PinSource::Kind::kNone && config.token_uri.empty()) return;
    const auto pin = check_token_pin(config);
    if (pin) return;
    const std::size_t line = line_of_key("token.pin_source");
    problem(line != 0 ? line : line_of_key("token.uri"), pin.error().message());
  }

  const ConfigCheck check_;
  ConfigReading reading_;
  std::map<std::string, std::size_t, std::less<>> lines_;
  std::map<std::string, std::string, std::less<>> values_;
};

std::string_view written_as(ValueForm form) {
  switch (form) {
    case ValueForm::kText:
      return "text";
    case ValueForm::kNumber:
      return "number";
    case ValueForm::kSwitch:
      return "true, false";
    case ValueForm::kList:
      return "list";
  }
  return "";
}

}  // namespace

ConfigReading read_config(std::string_view text, ConfigCheck check) {
  return Reader(check).read(text);
}

ConfigReading read_config_file(const std::string& path, ConfigCheck check) {
  const auto text = read_file(path);
  if (text) return read_config(*text, check);
  ConfigReading reading;
  reading.problems.push_back({0, text.error().message()});
  return reading;
}

std::string print_problems(const std::string& path, const std::vector<ConfigProblem>& problems) {
  std::string print;
  for (const ConfigProblem& problem : problems) {
    print += path + (problem.line == 0 ? "" : ":" + std::to_string(problem.line)) + ": " +
             problem.sentence + "\n";
  }
  return print;
}

Result<Config> load_config(const std::string& path) {
  ConfigReading reading = read_config_file(path);
  if (reading.problems.empty()) return std::move(reading.config);
  std::string print = print_problems(path, reading.problems);
  print.pop_back();
  return Error(ErrorCode::kValidation, std::move(print));
}

std::vector<std::string> changes_for_restart(const Config& now, const Config& wanted) {
  std::set<std::string> changed;
  const auto compare = [&changed](const Config& one, const Config& other) {
    for (const auto& [name, value] : one.settings) {
      const auto there = other.settings.find(name);
      if (there != other.settings.end() && there->second == value) continue;
      const ConfigKey* key = find_config_key(name);
      if (key == nullptr || key->reload == Reload::kNo) changed.insert(name);
    }
  };
  compare(now, wanted);
  compare(wanted, now);
  return {changed.begin(), changed.end()};
}

std::string print_config_page() {
  std::string page =
      "# Configuration\n\n"
      "Made from the table in `src/app/config_keys.cc`; a test compares the two.\n\n"
      "`keyhold serve --config FILE` reads these keys from a TOML file "
      "(`/etc/keyhold/keyhold.toml` "
      "of the package), where a\nkey `http.io_threads` is the line `io_threads = 4` in the section "
      "`[http]`. `keyhold config check --config FILE` names\nevery problem with its line. `keyhold "
      "dev` takes them as `--set KEY=VALUE`, except those marked *serve*; those marked\n*dev* are "
      "for `keyhold dev` alone. Durations are texts like `90s`, `20m`, `12h` or `365d`. *Reload* "
      "says what SIGHUP makes count; of\nthe rest it says that a restart is needed.\n\n"
      "| key | form | default | for | reload | meaning |\n| --- | --- | --- | --- | --- | --- |\n";
  for (const ConfigKey& key : config_keys()) {
    const bool quoted = key.default_value.find_first_of("` '") == std::string_view::npos;
    const std::string value =
        quoted ? "`" + std::string(key.default_value) + "`" : std::string(key.default_value);
    const std::string_view used_by = key.used_by == UsedBy::kDev     ? "dev"
                                     : key.used_by == UsedBy::kServe ? "serve"
                                                                     : "";
    page += "| `" + std::string(key.name) + "` | " + std::string(written_as(key.form)) + " | " +
            value + " | " + std::string(used_by) + " | " +
            (key.reload == Reload::kYes ? "yes" : "") + " | " + std::string(key.meaning) + " |\n";
  }
  return page +
         "| `profile.SECTION.KEY` |  |  |  |  | a single value of the token's profile, as in "
         "`hsm-config/` |\n";
}

}  // namespace keyhold::app

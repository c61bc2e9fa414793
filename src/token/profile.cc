#include "token/profile.h"

#include <toml++/toml.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <functional>
#include <limits>
#include <map>
#include <optional>

#include "token/pkcs11_names.h"

namespace keyhold::token {
namespace {

Error refused(std::string_view key, std::string_view why) {
  return Error(ErrorCode::kValidation,
               "profile: " + std::string(key) + (key.empty() ? "" : ": ") + std::string(why));
}

using Read = std::function<std::optional<std::string_view>(const toml::node&, Profile&)>;

// Each reader answers nothing when all is well, else what the value should have been.
Read text(std::string Profile::*field) {
  return [field](const toml::node& node, Profile& profile) -> std::optional<std::string_view> {
    const auto value = node.value_exact<std::string>();
    if (!value) return "must be a string";
    profile.*field = *value;
    return std::nullopt;
  };
}

template <typename Number>
Read number(Number Profile::*field, std::int64_t least, std::int64_t most) {
  return [field, least, most](const toml::node& node,
                              Profile& profile) -> std::optional<std::string_view> {
    const auto value = node.value_exact<std::int64_t>();
    if (!value) return "must be a whole number";
    if (*value < least || *value > most) return "is out of range";
    profile.*field = static_cast<Number>(*value);
    return std::nullopt;
  };
}

/// A duration of at least a millisecond: a whole number and ms, s, min, h or d.
std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  std::int64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc() || count <= 0) return std::nullopt;
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  static const std::map<std::string_view, std::int64_t> kUnits = {
      {"ms", 1}, {"s", 1'000}, {"min", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};
  const auto found = kUnits.find(unit);
  // A century is more than anybody means, and keeps sums of durations and times far from overflow.
  constexpr std::int64_t kMost = std::int64_t{100} * 366 * 86'400'000;
  if (found == kUnits.end() || count > kMost / found->second) return std::nullopt;
  return std::chrono::milliseconds(count * found->second);
}

Read duration(std::chrono::milliseconds Profile::*field) {
  return [field](const toml::node& node, Profile& profile) -> std::optional<std::string_view> {
    const auto value = node.value_exact<std::string>();
    const auto parsed = value ? parse_duration(*value) : std::nullopt;
    if (!parsed)
      return "must be a duration such as \"250ms\", \"10s\", \"5min\", \"24h\" or \"30d\"";
    profile.*field = *parsed;
    return std::nullopt;
  };
}

template <typename Word>
Read word(Word Profile::*field, std::map<std::string_view, Word> words, std::string_view expected) {
  return [field, words = std::move(words), expected](
             const toml::node& node, Profile& profile) -> std::optional<std::string_view> {
    const auto value = node.value_exact<std::string_view>();
    const auto found = value ? words.find(*value) : words.end();
    if (found == words.end()) return expected;
    profile.*field = found->second;
    return std::nullopt;
  };
}

template <typename Word>
Read flag(Word Profile::*field, Word off, Word on) {
  return [field, off, on](const toml::node& node,
                          Profile& profile) -> std::optional<std::string_view> {
    const auto value = node.value_exact<bool>();
    if (!value) return "must be true or false";
    profile.*field = *value ? on : off;
    return std::nullopt;
  };
}

/// A list of strings, each turned into an element by `convert`.
template <typename Element, typename Convert>
Read list(std::vector<Element> Profile::*field, Convert convert, std::string_view expected) {
  return [field, convert, expected](const toml::node& node,
                                    Profile& profile) -> std::optional<std::string_view> {
    const toml::array* array = node.as_array();
    if (array == nullptr) return expected;
    std::vector<Element> elements;
    for (const toml::node& entry : *array) {
      const auto value = entry.value_exact<std::string>();
      std::optional<Element> element;
      if (value) element = convert(*value);
      if (!element) return expected;
      elements.push_back(std::move(*element));
    }
    profile.*field = std::move(elements);
    return std::nullopt;
  };
}

std::optional<std::string_view> read_environment(const toml::node& node, Profile& profile) {
  constexpr std::string_view kExpected = "must be a table of NAME = \"value\"";
  const toml::table* table = node.as_table();
  if (table == nullptr) return kExpected;
  profile.module_env.clear();
  for (const auto& [name, entry] : *table) {
    const auto value = entry.value_exact<std::string>();
    if (!value || name.str().empty() || name.str().find('=') != std::string_view::npos) {
      return kExpected;
    }
    profile.module_env.emplace_back(name.str(), *value);
  }
  return std::nullopt;
}

/// A vendor's mechanism, by its number.
std::optional<std::string_view> read_hmac_generation(const toml::node& node, Profile& profile) {
  const auto value = node.value_exact<std::string>();
  const auto number = value ? number_of_hexadecimal(*value) : std::nullopt;
  if (!number || *number == 0) return "must be the number of a mechanism such as \"0x80000001\"";
  profile.hmac_generation = *number;
  return std::nullopt;
}

std::optional<std::string_view> read_wrap_mechanism(const toml::node& node, Profile& profile) {
  const auto value = node.value_exact<std::string>();
  const auto type = value ? wrap_mechanism_of_name(*value) : std::nullopt;
  if (!type) {
    return "must be \"CKM_AES_KEY_WRAP\", \"CKM_AES_KEY_WRAP_PAD\", \"CKM_AES_KEY_WRAP_KWP\" or "
           "the "
           "number of a mechanism such as \"0x8000216f\"";
  }
  profile.wrap_mechanism = *type;
  return std::nullopt;
}

std::optional<std::string_view> read_pin_format(const toml::node& node, Profile& profile) {
  const auto value = node.value_exact<std::string>();
  const auto place = value ? value->find(kPinPlace) : std::string::npos;
  if (place == std::string::npos ||
      value->find(kPinPlace, place + kPinPlace.size()) != std::string::npos) {
    return "must be a string with one {pin} in it";
  }
  profile.pin_format = *value;
  return std::nullopt;
}

std::optional<std::string> absolute_path(const std::string& text) {
  if (text.empty() || text.front() != '/') return std::nullopt;
  return text;
}

const std::map<std::string, Read, std::less<>>& readers() {
  constexpr std::int64_t kMany = 1'000'000;
  constexpr std::string_view kReturnCodes =
      "must be a list of return codes such as \"CKR_GENERAL_ERROR\" or \"0x80000001\"";
  static const std::map<std::string, Read, std::less<>> kReaders = {
      {"module.path", text(&Profile::module)},
      {"module.env", read_environment},
      {"module.init_reserved", text(&Profile::init_reserved)},
      {"module.init_locking",
       word(&Profile::init_locking,
            std::map<std::string_view, InitLocking>{{"as-it-likes", InitLocking::kAsItLikes},
                                                    {"os", InitLocking::kOperatingSystem}},
            "must be \"as-it-likes\" or \"os\"")},
      {"token.pin_format", read_pin_format},
      {"token.label", text(&Profile::token_label)},
      {"token.serial", text(&Profile::token_serial)},
      {"sessions.max_sessions", number(&Profile::max_sessions, 3, kMany)},
      {"sessions.calls_at_once", number(&Profile::calls_at_once, 1, 4096)},
      {"sessions.call_timeout", duration(&Profile::call_timeout)},
      {"sessions.generation_timeout", duration(&Profile::generation_timeout)},
      {"sessions.open_interval", duration(&Profile::open_interval)},
      {"recovery.backoff_first", duration(&Profile::backoff_first)},
      {"recovery.backoff_last", duration(&Profile::backoff_last)},
      {"recovery.restart_after_hang", duration(&Profile::restart_after_hang)},
      {"recovery.reinit_on", list(&Profile::reinit_on, return_code_of_name, kReturnCodes)},
      {"keys.derivation", word(&Profile::derivation,
                               std::map<std::string_view, Derivation>{{"none", Derivation::kNone},
                                                                      {"ecb", Derivation::kEcb}},
                               "must be \"ecb\" or \"none\"")},
      {"keys.template_drop", list(&Profile::template_drop, attribute_of_name,
                                  "must be a list of attribute names such as \"CKA_COPYABLE\"")},
      {"keys.decrypt_bad_codes",
       list(&Profile::decrypt_bad_codes, return_code_of_name, kReturnCodes)},
      {"keys.unwrap_bad_codes",
       list(&Profile::unwrap_bad_codes, return_code_of_name, kReturnCodes)},
      {"keys.remove_oaep_padding_in_service",
       flag(&Profile::oaep_padding, OaepPadding::kRemovedInToken, OaepPadding::kRemovedInService)},
      {"keys.data_key_pairs",
       word(&Profile::data_key_pairs,
            std::map<std::string_view, DataKeyPairs>{{"token", DataKeyPairs::kMadeInToken},
                                                     {"service", DataKeyPairs::kMadeInService}},
            "must be \"token\" or \"service\"")},
      {"keys.hmac_generation", read_hmac_generation},
      {"keys.hmac_key_type",
       word(&Profile::hmac_key_type,
            std::map<std::string_view, HmacKeyType>{{"generic-secret", HmacKeyType::kGenericSecret},
                                                    {"of-hash", HmacKeyType::kOfHash}},
            "must be \"generic-secret\" or \"of-hash\"")},
      {"keys.gcm_iv",
       word(&Profile::gcm_iv,
            std::map<std::string_view, GcmIv>{{"caller", GcmIv::kFromCaller},
                                              {"token-in-buffer", GcmIv::kInBuffer},
                                              {"token-behind-message", GcmIv::kBehindMessage}},
            "must be \"caller\", \"token-in-buffer\" or \"token-behind-message\"")},
      {"keys.custody",
       word(&Profile::custody,
            std::map<std::string_view, MaterialCustody>{{"resident", MaterialCustody::kResident},
                                                        {"wrapped", MaterialCustody::kWrapped}},
            "must be \"resident\" or \"wrapped\"")},
      {"keys.wrap_mechanism", read_wrap_mechanism},
      {"keys.wrap_iv", word(&Profile::wrap_iv,
                            std::map<std::string_view, WrapIv>{{"null", WrapIv::kNull},
                                                               {"caller", WrapIv::kFromCaller}},
                            "must be \"null\" or \"caller\"")},
      {"keys.sensitive_with_extractable",
       flag(&Profile::sensitive_with_extractable, SensitiveWithExtractable::kNo,
            SensitiveWithExtractable::kYes)},
      {"message_keys.max_messages",
       number(&Profile::message_key_max_messages, 1, std::int64_t{1} << 31)},
      {"message_keys.max_age", duration(&Profile::message_key_max_age)},
      {"message_keys.cache", number(&Profile::message_key_cache, 16, kMany)},
      {"message_keys.material_cache", number(&Profile::material_cache, 16, kMany)},
      {"message_keys.unwrapped_material_cache",
       number(&Profile::unwrapped_material_cache, 16, kMany)},
      {"message_keys.private_objects",
       flag(&Profile::message_key_objects, MessageKeyObjects::kPublic,
            MessageKeyObjects::kPrivate)},
      {"message_keys.session_object_limit",
       number(&Profile::session_object_limit, 0, std::numeric_limits<std::int64_t>::max())},
      {"storage.sync_folders",
       list(&Profile::sync_folders, absolute_path, "must be a list of absolute paths")},
      {"storage.keep_token_object_copy",
       flag(&Profile::token_object_copy, TokenObjectCopy::kNone, TokenObjectCopy::kKept)},
      {"storage.serialise_object_writes",
       flag(&Profile::object_writes, ObjectWrites::kParallel, ObjectWrites::kSerialised)},
  };
  return kReaders;
}

/// Why a value cannot be taken.
std::optional<std::string_view> apply(std::string_view key, const toml::node& node,
                                      Profile& profile) {
  const auto reader = readers().find(key);
  if (reader == readers().end()) return "unknown key";
  return reader->second(node, profile);
}

struct Problem {
  std::size_t line;  ///< 0: of an override, or of the whole
  std::string key;   ///< may be empty
  std::string why;
};

std::string sentence(const Problem& problem, const std::string& path) {
  const std::string what = (problem.key.empty() ? "" : problem.key + ": ") + problem.why;
  if (problem.line == 0) return "profile: " + what;
  if (!path.empty()) return path + ":" + std::to_string(problem.line) + ": " + what;
  return "profile: " + what +
         (problem.key.empty() ? " (line " + std::to_string(problem.line) + ")" : "");
}

/// Reads a text as far as it can be understood.
void read_text(std::string_view text, Profile& profile, std::vector<Problem>& problems) {
  toml::table document;
  try {
    document = toml::parse(text);
  } catch (const toml::parse_error& error) {
    problems.push_back({error.source().begin.line, "", std::string(error.description())});
    return;
  }
  for (const auto& [section, content] : document) {
    const toml::table* table = content.as_table();
    const std::string prefix = std::string(section.str()) + ".";
    const auto first = readers().lower_bound(prefix);
    const bool known = first != readers().end() && first->first.starts_with(prefix);
    if (table == nullptr || !known) {
      problems.push_back({content.source().begin.line, std::string(section.str()),
                          table == nullptr ? "unknown key" : "unknown section"});
      continue;
    }
    for (const auto& [key, node] : *table) {
      const std::string name = prefix + std::string(key.str());
      if (const auto wrong = apply(name, node, profile)) {
        problems.push_back({node.source().begin.line, name, std::string(*wrong)});
      }
    }
  }
  std::ranges::stable_sort(problems, {}, &Problem::line);
}

std::optional<Problem> apply_override(const std::string& line, Profile& profile) {
  const std::size_t equals = line.find('=');
  if (equals == std::string::npos || equals == 0) {
    return Problem{0, line, "an override has the form section.key=value"};
  }
  const std::string key = line.substr(0, equals);
  const std::string value = line.substr(equals + 1);
  // `module.env.NAME=value` sets one variable, whatever characters the value has.
  constexpr std::string_view kEnvironment = "module.env.";
  if (key.starts_with(kEnvironment) && key.size() > kEnvironment.size()) {
    const std::string name = key.substr(kEnvironment.size());
    auto& env = profile.module_env;
    std::erase_if(env, [&](const auto& entry) { return entry.first == name; });
    env.emplace_back(name, value);
    return std::nullopt;
  }
  try {
    const toml::table parsed = toml::parse("value = " + value);
    if (parsed.size() == 1 && !apply(key, *parsed.get("value"), profile)) return std::nullopt;
  } catch (const toml::parse_error&) {  // it may be a bare word
  }
  // A bare word or path, as a shell leaves it after taking the quotes away.
  const auto wrong = apply(key, toml::value<std::string>(value), profile);
  return wrong ? std::optional(Problem{0, key, std::string(*wrong)}) : std::nullopt;
}

/// What is wrong with values that are right by themselves.
Result<void> check_whole(const Profile& profile) {
  if (profile.module.empty()) return refused("module.path", "missing");
  if (profile.token_label.empty() && profile.token_serial.empty()) {
    return refused("token.label", "a label or a serial number must select the token");
  }
  // One session stays parked so that the login lives, one owns the derived keys.
  if (profile.max_sessions < profile.calls_at_once + 2) {
    return refused("sessions.max_sessions", "must be calls_at_once and 2 more");
  }
  if (profile.backoff_last < profile.backoff_first) {
    return refused("recovery.backoff_last", "must not be less than backoff_first");
  }
  if (profile.restart_after_hang < profile.call_timeout) {
    return refused("recovery.restart_after_hang", "must not be less than sessions.call_timeout");
  }
  if (profile.generation_timeout < profile.call_timeout) {
    return refused("sessions.generation_timeout", "must not be less than call_timeout");
  }
  if (profile.token_object_copy == TokenObjectCopy::kKept && profile.sync_folders.empty()) {
    return refused("storage.keep_token_object_copy", "needs sync_folders to know the folder");
  }
  return {};
}

/// `path`: where the text is from; may be empty.
Result<Profile> parse(std::string_view text, std::span<const std::string> overrides,
                      const std::string& path) {
  Profile profile;
  std::vector<Problem> problems;
  read_text(text, profile, problems);
  for (const std::string& line : overrides) {
    if (auto problem = apply_override(line, profile)) problems.push_back(std::move(*problem));
  }
  if (!problems.empty()) {
    std::string sentences;
    for (const Problem& problem : problems) {
      sentences += (sentences.empty() ? "" : "\n") + sentence(problem, path);
    }
    return Error(ErrorCode::kValidation, std::move(sentences));
  }
  TRY(check_whole(profile));
  return profile;
}

/// Nothing if it cannot be read.
std::optional<std::string> text_of_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string text;
  char buffer[4096];
  while (file.read(buffer, sizeof buffer) || file.gcount() > 0) {
    text.append(buffer, static_cast<std::size_t>(file.gcount()));
  }
  if (!file.eof()) return std::nullopt;
  return text;
}

}  // namespace

std::vector<MechanismType> wrap_mechanisms_of(const Profile& profile) {
  if (profile.wrap_mechanism != 0) return {profile.wrap_mechanism};
  std::vector<MechanismType> types;
  for (const WrapMechanism& mechanism : wrap_mechanisms()) types.push_back(mechanism.type);
  return types;
}

std::size_t iv_size_of(GcmIv iv) { return iv == GcmIv::kBehindMessage ? 16 : 12; }

Result<Profile> parse_profile(std::string_view text, std::span<const std::string> overrides) {
  return parse(text, overrides, "");
}

Result<Profile> read_profile(const std::string& path, std::span<const std::string> overrides) {
  const auto text = text_of_file(path);
  if (!text) return refused(path, "cannot be read");
  return parse(*text, overrides, path);
}

}  // namespace keyhold::token

#include "token/profile.h"

#include <toml++/toml.h>

#include <charconv>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <map>
#include <optional>
#include <sstream>

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

Result<void> apply(std::string_view key, const toml::node& node, Profile& profile) {
  const auto reader = readers().find(key);
  if (reader == readers().end()) return refused(key, "unknown key");
  if (const auto wrong = reader->second(node, profile)) return refused(key, *wrong);
  return {};
}

Result<toml::table> parse_toml(std::string_view text, std::string_view what) {
  try {
    return toml::parse(text);
  } catch (const toml::parse_error& error) {
    std::ostringstream where;
    where << error.description() << " (line " << error.source().begin.line << ")";
    return refused(what, where.str());
  }
}

Result<void> apply_override(const std::string& line, Profile& profile) {
  const std::size_t equals = line.find('=');
  if (equals == std::string::npos || equals == 0) {
    return refused(line, "an override has the form section.key=value");
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
    return {};
  }
  const auto parsed = parse_toml("value = " + value, key);
  if (parsed && parsed->size() == 1) {
    if (apply(key, *parsed->get("value"), profile)) return {};
  }
  // A bare word or path, as a shell leaves it after taking the quotes away.
  return apply(key, toml::value<std::string>(value), profile);
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
  TRY_ASSIGN(const toml::table document, parse_toml(text, ""));
  Profile profile;
  for (const auto& [section, content] : document) {
    const toml::table* table = content.as_table();
    if (table == nullptr) return refused(section.str(), "unknown key");
    const std::string prefix = std::string(section.str()) + ".";
    const auto first = readers().lower_bound(prefix);
    if (first == readers().end() || !first->first.starts_with(prefix)) {
      return refused(section.str(), "unknown section");
    }
    for (const auto& [key, node] : *table) {
      TRY(apply(prefix + std::string(key.str()), node, profile));
    }
  }
  for (const std::string& line : overrides) TRY(apply_override(line, profile));

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
  return profile;
}

Result<Profile> read_profile(const std::string& path, std::span<const std::string> overrides) {
  std::ifstream file(path, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file.good() && !file.eof()) return refused(path, "cannot be read");
  return parse_profile(text, overrides);
}

}  // namespace keyhold::token

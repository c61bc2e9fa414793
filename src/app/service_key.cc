#include "app/service_key.h"

#include "base/log.h"

namespace keyhold::app {
namespace {

constexpr std::string_view kSetting = "service-key";
constexpr std::string_view kIntentSetting = "service-key-intent";
constexpr std::string_view kLabel = "keyhold service key";
constexpr char kSeparator = ' ';

// As stored: object name, construction, check value.
std::string to_setting(const token::Material& key) {
  std::string text = key.object_name.hex();
  text += kSeparator;
  text += to_string(key.construction);
  text += kSeparator;
  return text + to_hex(key.check_value);
}

Result<token::Material> from_setting(std::string_view text) {
  const auto first = text.find(kSeparator);
  const auto second = text.find(kSeparator, first + 1);
  if (first != std::string_view::npos && second != std::string_view::npos) {
    const auto name = ObjectName::from_hex(text.substr(0, first));
    const auto construction = parse_word<Construction>(text.substr(first + 1, second - first - 1));
    const auto check_value = from_hex(text.substr(second + 1));
    if (name && construction && check_value) {
      token::Material key;
      key.object_name = *name;
      key.construction = *construction;
      key.check_value = *check_value;
      append(key.subject, as_bytes(kLabel));
      return key;
    }
  }
  return Error(ErrorCode::kKmsInternal, "the store's setting of the service key is damaged");
}

}  // namespace

Result<token::Material> open_service_key(store::Store& store, token::Token& token, Random& random) {
  TRY_ASSIGN(const auto known, store.setting(kSetting));
  if (known) return from_setting(*known);

  std::optional<token::GeneratedMaterial> made;
  ObjectName name;
  TRY_ASSIGN(const auto intent, store.setting(kIntentSetting));
  if (intent) {
    const auto intended = ObjectName::from_hex(*intent);
    if (intended) {
      name = *intended;
      TRY_ASSIGN(made, token.adopt_material(name, {}));
    }
  }
  if (!made) {
    name = ObjectName::draw(random);
    TRY(store.put_setting(kIntentSetting, name.hex()));
    TRY_ASSIGN(made, token.generate_material(name, kLabel, {}));
    log::info("made the service key in the token");
  }
  token::Material key;
  key.object_name = name;
  key.construction = made->construction;
  key.check_value = made->check_value;
  append(key.subject, as_bytes(kLabel));
  TRY(store.put_setting(kSetting, to_setting(key)));
  return key;
}

}  // namespace keyhold::app

#include "token/pkcs11_names.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <string_view>

#include "pkcs11/error.h"
#include "token/key_kind.h"

namespace keyhold::token {
namespace {

const std::map<std::string_view, unsigned long> kDroppable = {
    {"CKA_ALLOWED_MECHANISMS", CKA_ALLOWED_MECHANISMS},
    {"CKA_COPYABLE", CKA_COPYABLE},
    {"CKA_MODIFIABLE", CKA_MODIFIABLE},
    {"CKA_UNWRAP_TEMPLATE", CKA_UNWRAP_TEMPLATE},
};

// CKM_AES_KEY_WRAP_PAD is RFC 5649 to some tokens and something else to others.
constexpr auto kWrapMechanisms = std::to_array<WrapMechanism>({
    {kAesKeyWrapKwp, "CKM_AES_KEY_WRAP_KWP"},
    {CKM_AES_KEY_WRAP_PAD, "CKM_AES_KEY_WRAP_PAD"},
    {CKM_AES_KEY_WRAP, "CKM_AES_KEY_WRAP"},
});

}  // namespace

std::optional<unsigned long> return_code_of_name(const std::string& name) {
  auto value = number_of_hexadecimal(name);
  if (!value) value = pkcs11::rv_of_name(name);
  // Success is no error code.
  if (value == CKR_OK) return std::nullopt;
  return value;
}

std::optional<unsigned long> attribute_of_name(const std::string& name) {
  const auto found = kDroppable.find(name);
  if (found == kDroppable.end()) return std::nullopt;
  return found->second;
}

std::span<const WrapMechanism> wrap_mechanisms() { return kWrapMechanisms; }

std::optional<unsigned long> wrap_mechanism_of_name(const std::string& name) {
  for (const WrapMechanism& mechanism : kWrapMechanisms) {
    if (mechanism.name == name) return mechanism.type;
  }
  const auto number = number_of_hexadecimal(name);
  return number == 0 ? std::nullopt : number;
}

std::string wrap_mechanism_name(unsigned long type) {
  const auto found = std::ranges::find(kWrapMechanisms, type, &WrapMechanism::type);
  return found == kWrapMechanisms.end() ? hexadecimal(type) : std::string(found->name);
}

std::string attribute_name(unsigned long type) {
  const auto found =
      std::ranges::find_if(kDroppable, [&](const auto& entry) { return entry.second == type; });
  return found == kDroppable.end() ? hexadecimal(type) : std::string(found->first);
}

std::optional<unsigned long> number_of_hexadecimal(std::string_view text) {
  constexpr std::string_view kPrefix = "0x";
  if (!text.starts_with(kPrefix)) return std::nullopt;
  text.remove_prefix(kPrefix.size());
  unsigned long value = 0;
  const char* end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value, 16);
  if (error != std::errc() || stopped != end) return std::nullopt;
  return value;
}

std::string hexadecimal(unsigned long value) {
  std::array<char, 2 * sizeof value> digits{};
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value, 16).ptr;
  return "0x" + std::string(digits.data(), end);
}

}  // namespace keyhold::token

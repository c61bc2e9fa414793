#include "pkcs11/uri.h"

#include <p11-kit/uri.h>

#include <algorithm>
#include <array>
#include <memory>
#include <set>
#include <utility>

#include "pkcs11/padded.h"

namespace keyhold::pkcs11 {
namespace {

enum class Part : std::uint8_t { kPath, kQuery };

struct Known {
  std::string_view name;
  Part part;
};
constexpr auto kKnown = std::to_array<Known>({
    {"token", Part::kPath},
    {"serial", Part::kPath},
    {"manufacturer", Part::kPath},
    {"model", Part::kPath},
    {"module-path", Part::kQuery},
    {"module-name", Part::kQuery},
    {"pin-source", Part::kQuery},
});

constexpr std::string_view kScheme = "pkcs11:";

Error refused(std::string why) {
  return Error(CKR_ARGUMENTS_BAD, "parse_token_uri", std::move(why));
}

// Collects the names of one part's attributes, refusing what is not known there.
Result<void> check_part(std::string_view part, Part kind, std::set<std::string_view>& seen) {
  const char separator = kind == Part::kPath ? ';' : '&';
  while (!part.empty()) {
    const std::size_t end = std::min(part.find(separator), part.size());
    const std::string_view attribute = part.substr(0, end);
    if (end + 1 == part.size()) return refused("the URI ends in a separator");
    part.remove_prefix(std::min(end + 1, part.size()));
    const std::size_t equals = attribute.find('=');
    if (equals == std::string_view::npos) return refused("an attribute has no '='");
    const std::string_view name = attribute.substr(0, equals);
    if (name == "pin-value") {
      return refused("pin-value is not accepted: URIs are shown and logged; use pin-source");
    }
    const bool known = std::ranges::any_of(
        kKnown, [&](const Known& row) { return row.name == name && row.part == kind; });
    if (!known) return refused("attribute '" + std::string(name) + "' does not name a token");
    if (equals + 1 == attribute.size()) {
      return refused("attribute '" + std::string(name) + "' is empty");
    }
    if (!seen.insert(name).second) {
      return refused("attribute '" + std::string(name) + "' is given twice");
    }
  }
  return {};
}

}  // namespace

Result<TokenUri> parse_token_uri(std::string_view uri) {
  if (!uri.starts_with(kScheme)) return refused("the URI does not start with 'pkcs11:'");
  // p11-kit drops blanks, and hands out decoded texts that end at their first zero byte.
  const auto bad = [](unsigned char c) { return c <= 0x20 || c >= 0x7f; };
  if (std::ranges::any_of(uri, bad)) return refused("the URI has a blank or a non-ASCII character");
  if (uri.find("%00") != std::string_view::npos) return refused("the URI has a zero byte");

  const std::string_view rest = uri.substr(kScheme.size());
  const std::size_t question = std::min(rest.find('?'), rest.size());
  std::set<std::string_view> seen;
  PKCS11_TRY(check_part(rest.substr(0, question), Part::kPath, seen));
  if (question < rest.size()) {
    PKCS11_TRY(check_part(rest.substr(question + 1), Part::kQuery, seen));
  }
  if (!seen.contains("token") && !seen.contains("serial")) {
    return refused("the URI names neither token nor serial, so that it would match any token");
  }

  const std::unique_ptr<P11KitUri, decltype(&p11_kit_uri_free)> parsed(p11_kit_uri_new(),
                                                                       &p11_kit_uri_free);
  const int status = p11_kit_uri_parse(std::string(uri).c_str(), P11_KIT_URI_FOR_ANY, parsed.get());
  if (status != P11_KIT_URI_OK) {
    const char* why = p11_kit_uri_message(status);
    return refused(why != nullptr ? why : "the URI cannot be read");
  }
  if (p11_kit_uri_any_unrecognized(parsed.get()) != 0) {
    return refused("a value is longer than a token's field for it");
  }

  const CK_TOKEN_INFO* info = p11_kit_uri_get_token_info(parsed.get());
  const auto text = [&](std::string_view name, std::string value) -> std::optional<std::string> {
    if (!seen.contains(name)) return std::nullopt;
    return value;
  };
  const auto query = [&](const char* value) -> std::optional<std::string> {
    if (value == nullptr) return std::nullopt;
    return std::string(value);
  };
  TokenUri out;
  out.token = text("token", unpadded(info->label));
  out.serial = text("serial", unpadded(info->serialNumber));
  out.manufacturer = text("manufacturer", unpadded(info->manufacturerID));
  out.model = text("model", unpadded(info->model));
  out.module_path = query(p11_kit_uri_get_module_path(parsed.get()));
  out.module_name = query(p11_kit_uri_get_module_name(parsed.get()));
  out.pin_source = query(p11_kit_uri_get_pin_source(parsed.get()));
  if ((out.token && out.token->empty()) || (out.serial && out.serial->empty())) {
    return refused("token or serial is blank");
  }
  return out;
}

}  // namespace keyhold::pkcs11

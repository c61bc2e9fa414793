#include "sts/form.h"

#include <algorithm>
#include <cstdint>

namespace keyhold::sts {
namespace {

Fault no_form() { return {FaultCode::kValidationError, "The request body is not a valid form."}; }

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::string> decode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    if (text[at] != '%') {
      decoded += text[at] == '+' ? ' ' : text[at];
      continue;
    }
    if (at + 2 >= text.size()) return std::nullopt;
    const int high = hex_value(text[at + 1]);
    const int low = hex_value(text[at + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    decoded += static_cast<char>(high * 16 + low);
    at += 2;
  }
  return decoded;
}

/// Whether the text can stand in an XML answer and in JSON: UTF-8, and no control characters but
/// those that policies are laid out with.
bool is_text(std::string_view text) {
  for (std::size_t at = 0; at < text.size();) {
    const auto lead = static_cast<std::uint8_t>(text[at]);
    if (lead < 0x80) {
      if (lead < 0x20 && lead != '\t' && lead != '\n' && lead != '\r') return false;
      ++at;
      continue;
    }
    const std::size_t size = lead < 0xC2   ? 0
                             : lead < 0xE0 ? 2
                             : lead < 0xF0 ? 3
                             : lead < 0xF5 ? 4
                                           : 0;
    if (size == 0 || at + size > text.size()) return false;
    std::uint32_t character = lead & (0x7Fu >> size);
    for (std::size_t i = 1; i < size; ++i) {
      const auto next = static_cast<std::uint8_t>(text[at + i]);
      if ((next & 0xC0u) != 0x80u) return false;
      character = (character << 6) | (next & 0x3Fu);
    }
    const bool shortest =
        size == 2 || (size == 3 && character >= 0x800) || (size == 4 && character >= 0x10000);
    const bool surrogate = character >= 0xD800 && character <= 0xDFFF;
    if (!shortest || surrogate || character > 0x10FFFF || (character & 0xFFFE) == 0xFFFE) {
      return false;
    }
    at += size;
  }
  return true;
}

}  // namespace

Answer<Form> Form::parse(std::string_view body) {
  Form form;
  while (!body.empty()) {
    const std::size_t end = std::min(body.find('&'), body.size());
    const std::string_view parameter = body.substr(0, end);
    body.remove_prefix(std::min(end + 1, body.size()));
    if (parameter.empty()) continue;
    const std::size_t equals = std::min(parameter.find('='), parameter.size());
    const auto name = decode(parameter.substr(0, equals));
    auto value = decode(parameter.substr(std::min(equals + 1, parameter.size())));
    if (!name || !value || !is_text(*name) || !is_text(*value)) return no_form();
    if (form.values_.size() == kMaxParameters) return no_form();
    if (!form.values_.emplace(*name, std::move(*value)).second) return no_form();
  }
  return form;
}

std::optional<std::string_view> Form::find(std::string_view name) const {
  const auto found = values_.find(name);
  if (found == values_.end()) return std::nullopt;
  return std::string_view(found->second);
}

}  // namespace keyhold::sts

#include "iam/sigv4_stages.h"

#include <algorithm>
#include <utility>

#include "iam/ascii.h"
#include "iam/digest.h"

namespace keyhold::iam::sigv4 {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

bool is_unreserved(char c) {
  return is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

void append_percent_encoded(std::string& to, std::string_view text) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  for (const char c : text) {
    if (is_unreserved(c)) {
      to += c;
    } else {
      const auto byte = static_cast<unsigned char>(c);
      to += '%';
      to += kDigits[byte >> 4];
      to += kDigits[byte & 15];
    }
  }
}

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

void append_canonical_value(std::string& to, std::string_view value) {
  const std::size_t start = to.size();
  bool blank_before = false;
  for (const char c : value) {
    if (is_blank(c)) {
      blank_before = to.size() > start;
      continue;
    }
    if (blank_before) to += ' ';
    blank_before = false;
    to += c;
  }
}

void append_names(std::string& to, std::span<const std::string> names) {
  const char* separator = "";
  for (const std::string& name : names) {
    to.append(separator).append(name);
    separator = ";";
  }
}

void append_scope(std::string& to, const Scope& scope) {
  to.append(scope.date).append("/").append(scope.region).append("/").append(scope.service);
  to.append("/").append(kTerminator);
}

}  // namespace

std::string Scope::text() const {
  std::string text;
  text.reserve(date.size() + region.size() + service.size() + kTerminator.size() + 3);
  append_scope(text, *this);
  return text;
}

std::string_view path_of(std::string_view target) { return target.substr(0, target.find('?')); }

std::string_view query_of(std::string_view target) {
  const std::size_t mark = target.find('?');
  return mark == std::string_view::npos ? std::string_view() : target.substr(mark + 1);
}

std::string percent_decode(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%' && i + 2 < text.size()) {
      const int high = hex_value(text[i + 1]);
      const int low = hex_value(text[i + 2]);
      if (high >= 0 && low >= 0) {
        decoded += static_cast<char>(high * 16 + low);
        i += 2;
        continue;
      }
    }
    decoded += text[i];
  }
  return decoded;
}

HeaderTable::HeaderTable(std::span<const Header> headers) {
  entries_.reserve(headers.size());
  for (const Header& header : headers) {
    entries_.push_back({to_lower(header.name), header.value, entries_.size()});
  }
  // As a stable sort does, but without the memory that one asks for each time.
  std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
    const int order = a.name.compare(b.name);
    return order != 0 ? order < 0 : a.place < b.place;
  });
}

std::span<const HeaderTable::Entry> HeaderTable::named(std::string_view name) const {
  const auto first =
      std::lower_bound(entries_.begin(), entries_.end(), name,
                       [](const Entry& entry, std::string_view text) { return entry.name < text; });
  auto last = first;
  while (last != entries_.end() && last->name == name) ++last;
  return {first, last};
}

std::string canonical_path(std::string_view path) {
  std::vector<std::string_view> segments;
  std::size_t at = 0;
  while (at < path.size()) {
    const std::size_t end = std::min(path.find('/', at), path.size());
    const std::string_view segment = path.substr(at, end - at);
    at = end + 1;
    if (segment.empty() || segment == ".") continue;
    if (segment != "..") {
      segments.push_back(segment);
    } else if (!segments.empty()) {
      segments.pop_back();
    }
  }
  std::string canonical;
  for (const std::string_view segment : segments) {
    canonical += '/';
    append_percent_encoded(canonical, segment);
  }
  if (canonical.empty() || path.back() == '/') canonical += '/';
  return canonical;
}

std::string canonical_query(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> parameters;
  std::size_t at = 0;
  while (at < query.size()) {
    const std::size_t end = std::min(query.find('&', at), query.size());
    const std::string_view parameter = query.substr(at, end - at);
    at = end + 1;
    if (parameter.empty()) continue;
    const std::size_t equals = std::min(parameter.find('='), parameter.size());
    std::pair<std::string, std::string> encoded;
    append_percent_encoded(encoded.first, percent_decode(parameter.substr(0, equals)));
    if (equals < parameter.size())
      append_percent_encoded(encoded.second, percent_decode(parameter.substr(equals + 1)));
    parameters.push_back(std::move(encoded));
  }
  std::sort(parameters.begin(), parameters.end());
  std::string canonical;
  for (const auto& [name, value] : parameters) {
    if (!canonical.empty()) canonical += '&';
    canonical.append(name).append("=").append(value);
  }
  return canonical;
}

std::string canonical_header_value(std::string_view value) {
  std::string canonical;
  append_canonical_value(canonical, value);
  return canonical;
}

std::string join_names(std::span<const std::string> names) {
  std::string joined;
  append_names(joined, names);
  return joined;
}

std::string canonical_request(std::string_view method, std::string_view target,
                              const HeaderTable& headers, std::span<const std::string> signed_names,
                              std::string_view payload_hash) {
  std::string text;
  text.reserve(512);
  text.append(method).append("\n");
  text.append(canonical_path(path_of(target))).append("\n");
  text.append(canonical_query(query_of(target))).append("\n");
  for (const std::string& name : signed_names) {
    text.append(name).append(":");
    bool first = true;
    for (const HeaderTable::Entry& entry : headers.named(name)) {
      if (!first) text += ',';
      first = false;
      append_canonical_value(text, entry.value);
    }
    text += '\n';
  }
  text += '\n';
  append_names(text, signed_names);
  return text.append("\n").append(payload_hash);
}

std::string string_to_sign(std::string_view time, const Scope& scope,
                           std::string_view canonical_request) {
  std::string text;
  text.reserve(192);  // a scope of 50 characters and all the rest
  text.append(kAlgorithm).append("\n").append(time).append("\n");
  append_scope(text, scope);
  return text.append("\n").append(to_hex(sha256(as_bytes(canonical_request))));
}

Secret signing_key(const Secret& secret_access_key, const Scope& scope) {
  Secret start(std::string_view("AWS4"));
  start.append(secret_access_key.view());
  Secret key(kSha256Size);
  const std::span<std::uint8_t, kSha256Size> mac(key.data(), kSha256Size);
  hmac_sha256(start.view(), {as_bytes(scope.date)}, mac);
  hmac_sha256(key.view(), {as_bytes(scope.region)}, mac);
  hmac_sha256(key.view(), {as_bytes(scope.service)}, mac);
  hmac_sha256(key.view(), {as_bytes(kTerminator)}, mac);
  return key;
}

std::string signature(const Secret& signing_key, std::string_view string_to_sign) {
  Sha256 mac;
  hmac_sha256(signing_key.view(), {as_bytes(string_to_sign)}, mac);
  return to_hex(mac);
}

}  // namespace keyhold::iam::sigv4

#include "http/response_writer.h"

#include <algorithm>
#include <array>
#include <cstdio>

namespace keyhold::http {
namespace {

constexpr std::array<std::string_view, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

// Fields that follow from the connection or from the body; a second copy would contradict them.
constexpr std::array<std::string_view, 5> kOwnFields = {"content-length", "transfer-encoding",
                                                        "connection", "date", "content-type"};

constexpr int kNoContent = 204;
constexpr int kNotModified = 304;

std::string_view reason_phrase(int status) {
  switch (status) {
    case 200:
      return "OK";
    case 204:
      return "No Content";
    case 304:
      return "Not Modified";
    case 400:
      return "Bad Request";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 417:
      return "Expectation Failed";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 503:
      return "Service Unavailable";
    default:
      return "";  // RFC 9112 section 4: the phrase may be empty
  }
}

bool is_name(std::string_view text) {
  constexpr std::string_view kToken =
      "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  return !text.empty() && text.find_first_not_of(kToken) == std::string_view::npos;
}

bool is_value(std::string_view text) {
  return std::ranges::none_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return (byte < 0x20 && c != '\t') || byte == 0x7f;
  });
}

void add_field(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

bool replaces(const Response& response, std::string_view name) {
  return std::ranges::any_of(
      response.headers, [&](const ResponseHeader& field) { return same_name(field.name, name); });
}

}  // namespace

std::string_view HttpDate::at(std::time_t now) {
  if (now != second_) {
    std::tm utc{};
    gmtime_r(&now, &utc);
    // Not strftime: its names follow the locale.
    std::array<char, 64> text{};
    const int size =
        std::snprintf(text.data(), text.size(), "%s, %02d %s %04d %02d:%02d:%02d GMT",
                      kDays.at(static_cast<std::size_t>(utc.tm_wday)).data(), utc.tm_mday,
                      kMonths.at(static_cast<std::size_t>(utc.tm_mon)).data(), utc.tm_year + 1900,
                      utc.tm_hour, utc.tm_min, utc.tm_sec);
    text_.assign(text.data(), static_cast<std::size_t>(size));
    second_ = now;
  }
  return text_;
}

bool is_sendable(const Response& response, std::string_view request_id_name) {
  if (response.status < 200 || response.status > 599) return false;
  if (!is_value(response.content_type)) return false;
  return std::ranges::all_of(response.headers, [&](const ResponseHeader& field) {
    const bool own = same_name(field.name, request_id_name) ||
                     std::ranges::any_of(kOwnFields, [&](std::string_view name) {
                       return same_name(name, field.name);
                     });
    return !own && is_name(field.name) && is_value(field.value);
  });
}

void write_head(const Response& response, const HeadContext& context, std::string& out) {
  out.assign("HTTP/1.1 ");
  out.append(std::to_string(response.status)).append(" ");
  out.append(reason_phrase(response.status)).append("\r\n");
  if (!context.request_id_name.empty()) {
    add_field(out, context.request_id_name, context.request_id);
  }
  for (const ResponseHeader& field : context.default_headers) {
    if (!replaces(response, field.name)) add_field(out, field.name, field.value);
  }
  for (const ResponseHeader& field : response.headers) {
    if (!field.value.empty()) add_field(out, field.name, field.value);
  }
  if (!response.content_type.empty()) add_field(out, "Content-Type", response.content_type);
  // RFC 9110 section 8.6: no Content-Length in a 204.
  if (response.status != kNoContent) {
    add_field(out, "Content-Length", std::to_string(response.body.size()));
  }
  add_field(out, "Date", context.date);
  if (context.after == AfterAnswer::kClose) {
    add_field(out, "Connection", "close");
  } else if (context.request_version < 11) {
    add_field(out, "Connection", "keep-alive");
  }
  out.append("\r\n");
}

bool has_body(std::string_view request_method, int status) {
  return request_method != "HEAD" && status != kNoContent && status != kNotModified;
}

}  // namespace keyhold::http

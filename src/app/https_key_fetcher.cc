#include "app/https_key_fetcher.h"

#include <curl/curl.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "iam/ascii.h"

namespace keyhold::app {
namespace {

constexpr long kOk = 200;

struct CurlCloser {
  void operator()(CURL* handle) const { curl_easy_cleanup(handle); }
};
using CurlPtr = std::unique_ptr<CURL, CurlCloser>;

/// What a transfer has brought so far.
struct Received {
  std::string text;
  std::optional<std::chrono::seconds> max_age;
};

std::string_view trim(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const auto first = text.find_first_not_of(kSpace);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

/// A number other than `count` ends the transfer.
std::size_t take_body(const char* data, std::size_t, std::size_t count, void* context) {
  auto& received = *static_cast<Received*>(context);
  if (received.text.size() + count > HttpsKeyFetcher::kMaxKeySet) return 0;
  received.text.append(data, count);
  return count;
}

std::size_t take_header(const char* data, std::size_t, std::size_t count, void* context) {
  auto& received = *static_cast<Received*>(context);
  const std::string_view line(data, count);
  const auto colon = line.find(':');
  if (colon != std::string_view::npos && iam::to_lower(line.substr(0, colon)) == "cache-control") {
    received.max_age = max_age_of(line.substr(colon + 1));
  }
  return count;
}

/// Once for the process, before its first handle.
bool is_ready() {
  static const bool ready = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  return ready;
}

bool configure(CURL* handle, const std::string& address, const std::string& authorities,
               Received& received, char* reason) {
  const std::array results{
      curl_easy_setopt(handle, CURLOPT_URL, address.c_str()),
      curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "https"),
      curl_easy_setopt(handle, CURLOPT_FOLLOWLOCATION, 0L),
      curl_easy_setopt(handle, CURLOPT_SSL_VERIFYPEER, 1L),
      curl_easy_setopt(handle, CURLOPT_SSL_VERIFYHOST, 2L),
      curl_easy_setopt(handle, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2)),
      curl_easy_setopt(
          handle, CURLOPT_TIMEOUT_MS,
          static_cast<long>(std::chrono::milliseconds(HttpsKeyFetcher::kTimeout).count())),
      curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L),  // other threads go on meanwhile
      curl_easy_setopt(handle, CURLOPT_USERAGENT, "keyhold"),
      curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, take_body),
      curl_easy_setopt(handle, CURLOPT_WRITEDATA, &received),
      curl_easy_setopt(handle, CURLOPT_HEADERFUNCTION, take_header),
      curl_easy_setopt(handle, CURLOPT_HEADERDATA, &received),
      curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, reason),
      authorities.empty() ? CURLE_OK
                          : curl_easy_setopt(handle, CURLOPT_CAINFO, authorities.c_str()),
      // Instead of the system's, and not beside them.
      authorities.empty() ? CURLE_OK : curl_easy_setopt(handle, CURLOPT_CAPATH, nullptr),
  };
  return std::ranges::all_of(results, [](CURLcode code) { return code == CURLE_OK; });
}

}  // namespace

std::optional<std::chrono::seconds> max_age_of(std::string_view cache_control) {
  std::optional<std::chrono::seconds> age;
  while (!cache_control.empty()) {
    const auto comma = cache_control.find(',');
    const std::string directive = iam::to_lower(trim(cache_control.substr(0, comma)));
    cache_control.remove_prefix(comma == std::string_view::npos ? cache_control.size() : comma + 1);
    if (directive == "no-store" || directive == "no-cache") return std::chrono::seconds(0);
    constexpr std::string_view kMaxAge = "max-age=";
    if (!directive.starts_with(kMaxAge)) continue;
    std::int32_t seconds = 0;
    const char* end = directive.data() + directive.size();
    const auto parsed = std::from_chars(directive.data() + kMaxAge.size(), end, seconds);
    if (parsed.ec == std::errc{} && parsed.ptr == end && seconds >= 0) {
      age = std::chrono::seconds(seconds);
    }
  }
  return age;
}

Result<sts::FetchedText> HttpsKeyFetcher::fetch() {
  const CurlPtr handle(is_ready() ? curl_easy_init() : nullptr);
  Received received;
  std::array<char, CURL_ERROR_SIZE> reason{};
  if (!handle ||
      !configure(handle.get(), address_, authorities_.string(), received, reason.data())) {
    return Error(ErrorCode::kValidation, "libcurl does not do what is asked of it");
  }
  const CURLcode code = curl_easy_perform(handle.get());
  if (code != CURLE_OK) {
    return Error(ErrorCode::kValidation,
                 reason[0] == '\0' ? curl_easy_strerror(code) : reason.data());
  }
  long status = 0;
  curl_easy_getinfo(handle.get(), CURLINFO_RESPONSE_CODE, &status);
  if (status != kOk) {
    return Error(ErrorCode::kValidation, "the answer has status " + std::to_string(status));
  }
  return sts::FetchedText{std::move(received.text), received.max_age};
}

}  // namespace keyhold::app

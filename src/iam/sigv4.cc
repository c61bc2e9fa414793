#include "iam/sigv4.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>
#include <vector>

#include "base/random.h"
#include "iam/ascii.h"
#include "iam/authorization_header.h"
#include "iam/digest.h"
#include "iam/request_date.h"
#include "iam/sigv4_stages.h"

namespace keyhold::iam {
namespace {

using sigv4::HeaderTable;

constexpr std::string_view kAuthorization = "authorization";
constexpr std::string_view kHost = "host";
constexpr std::string_view kAmzDate = "x-amz-date";
constexpr std::string_view kDate = "date";
constexpr std::string_view kSecurityToken = "x-amz-security-token";
constexpr std::string_view kContentHash = "x-amz-content-sha256";
constexpr std::string_view kAmzPrefix = "x-amz-";

/// Headers of which two readers could take different ones. Authorization first: with two of them
/// there is no telling what the rest is about.
constexpr std::array<std::string_view, 7> kOnlyOnce = {
    kAuthorization, kHost, kAmzDate, kDate, "x-amz-target", kSecurityToken, kContentHash};

Error invalid(std::string message) {
  return Error(ErrorCode::kInvalidSignature, std::move(message));
}

Error mismatch() {
  return invalid(
      "The request signature we calculated does not match the signature you provided. Check your "
      "AWS Secret Access Key and signing method. Consult the service documentation for details.");
}

/// Whether the query holds a parameter of a presigned request.
bool is_presigned(std::string_view query) {
  constexpr std::array<std::string_view, 7> kParameters = {
      "x-amz-algorithm",     "x-amz-credential", "x-amz-date",          "x-amz-expires",
      "x-amz-signedheaders", "x-amz-signature",  "x-amz-security-token"};
  std::size_t at = 0;
  while (at < query.size()) {
    const std::size_t end = std::min(query.find('&', at), query.size());
    const std::string_view parameter = query.substr(at, end - at);
    at = end + 1;
    const std::string name =
        to_lower(sigv4::percent_decode(parameter.substr(0, parameter.find('='))));
    if (std::find(kParameters.begin(), kParameters.end(), name) != kParameters.end()) return true;
  }
  return false;
}

Result<void> check_form(const SignedRequest& request, const HeaderTable& headers) {
  const bool has_header = !headers.named(kAuthorization).empty();
  if (is_presigned(sigv4::query_of(request.target))) {
    return Error(ErrorCode::kIncompleteSignature,
                 "Presigned requests are not supported. Sign the request in its Authorization "
                 "header.");
  }
  if (!has_header)
    return Error(ErrorCode::kMissingAuthenticationToken, "Missing Authentication Token");
  for (const std::string_view name : kOnlyOnce) {
    if (headers.named(name).size() > 1) {
      return Error(ErrorCode::kIncompleteSignature,
                   "Request has more than one '" + std::string(name) + "' header.");
    }
  }
  return {};
}

struct SignedTime {
  TimePoint time;
  std::string text;  ///< YYYYMMDDTHHMMSSZ
};

Result<SignedTime> read_time(const HeaderTable& headers) {
  const auto amz_date = headers.named(kAmzDate);
  const std::string_view text =
      amz_date.empty() ? headers.named(kDate).front().value : amz_date.front().value;
  const auto time = amz_date.empty() ? parse_date_header(text) : parse_basic_iso8601(text);
  if (!time) {
    return Error(ErrorCode::kIncompleteSignature,
                 "Date must be in ISO-8601 'basic format'. Got '" + printable(text) +
                     "'. See http://en.wikipedia.org/wiki/ISO_8601");
  }
  return SignedTime{*time, to_basic_iso8601(*time)};
}

/// AWS joins the sentences; all but the first kind end in a blank.
Result<void> check_scope(const AuthorizationHeader& authorization, const SignedTime& time,
                         const RegionPolicy& regions, std::string_view service) {
  std::string faults;
  if (!regions.allows(authorization.region)) {
    faults += "Credential should be scoped to a valid region, not '" +
              printable(authorization.region) + "'. ";
  }
  if (authorization.service != service) {
    faults.append("Credential should be scoped to correct service: '").append(service);
    faults += "'. ";
  }
  if (authorization.terminator != sigv4::kTerminator) {
    faults.append("Credential should be scoped with a valid terminator: '")
        .append(sigv4::kTerminator)
        .append("', not '")
        .append(printable(authorization.terminator));
    faults += "'. ";
  }
  const std::string_view day = std::string_view(time.text).substr(0, 8);
  if (authorization.date != day) {
    std::string fault =
        "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from "
        "HTTP: '" +
        printable(authorization.date) + "' != '" + std::string(day) + "', from '" + time.text +
        "'.";
    faults = faults.empty() ? std::move(fault) : std::move(fault) + " " + faults;
  }
  if (!faults.empty()) return invalid(std::move(faults));
  return {};
}

/// Lower case and ascending, as they enter the canonical request.
std::vector<std::string> signed_names(std::string_view list) {
  std::vector<std::string> names;
  std::size_t at = 0;
  while (at <= list.size()) {
    const std::size_t end = std::min(list.find(';', at), list.size());
    names.push_back(to_lower(list.substr(at, end - at)));
    at = end + 1;
  }
  std::sort(names.begin(), names.end());
  return names;
}

Result<void> check_signed_names(const HeaderTable& headers, const std::vector<std::string>& names) {
  const auto is_signed = [&](std::string_view name) {
    return std::binary_search(names.begin(), names.end(), name);
  };
  if (!is_signed(kHost))
    return invalid("'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization.");
  for (const HeaderTable::Entry& header : headers.all()) {
    if (header.name.starts_with(kAmzPrefix) && !is_signed(header.name)) {
      return invalid("'" + printable(header.name) +
                     "' must be a 'SignedHeader' in the AWS Authorization.");
    }
  }
  return {};
}

Result<void> check_window(const SignedTime& time, TimePoint now) {
  const TimePoint second = std::chrono::floor<std::chrono::seconds>(now);
  const std::string minutes = std::to_string(kClockWindow.count()) + " min.)";
  if (time.time < second - kClockWindow) {
    return invalid("Signature expired: " + time.text + " is now earlier than " +
                   to_basic_iso8601(second - kClockWindow) + " (" + to_basic_iso8601(second) +
                   " - " + minutes);
  }
  if (time.time > second + kClockWindow) {
    return invalid("Signature not yet current: " + time.text + " is still later than " +
                   to_basic_iso8601(second + kClockWindow) + " (" + to_basic_iso8601(second) +
                   " + " + minutes);
  }
  return {};
}

/// Whether each name is there and none is listed twice. A longer list than there are headers
/// cannot be, and is not walked.
bool all_present_once(const HeaderTable& headers, const std::vector<std::string>& names) {
  return names.size() <= headers.all().size() &&
         std::adjacent_find(names.begin(), names.end()) == names.end() &&
         std::all_of(names.begin(), names.end(),
                     [&](const std::string& name) { return !headers.named(name).empty(); });
}

}  // namespace

SigV4Verifier::SigV4Verifier(const CredentialSource& credentials, RegionPolicy regions,
                             std::string service)
    : credentials_(credentials),
      regions_(std::move(regions)),
      service_(std::move(service)),
      dummy_signing_key_(kSha256Size) {
  SystemRandom().fill({dummy_signing_key_.data(), dummy_signing_key_.size()});
}

Result<Caller> SigV4Verifier::verify(const SignedRequest& request, TimePoint now) const {
  const HeaderTable headers(request.headers);
  TRY(check_form(request, headers));
  const bool dated = !headers.named(kAmzDate).empty() || !headers.named(kDate).empty();
  TRY_ASSIGN(const AuthorizationHeader authorization,
             parse_authorization_header(headers.named(kAuthorization).front().value,
                                        dated ? DateHeader::kPresent : DateHeader::kAbsent));
  TRY_ASSIGN(const SignedTime time, read_time(headers));
  TRY(check_scope(authorization, time, regions_, service_));
  const std::vector<std::string> names = signed_names(authorization.signed_headers);
  TRY(check_signed_names(headers, names));
  TRY(check_window(time, now));

  // An access key that may not call is answered after the same work as a wrong signature. A
  // security token belongs to temporary credentials, so with a long-term key it is a foreign one.
  const auto token = headers.named(kSecurityToken);
  auto credential =
      token.empty() ? credentials_.find(authorization.access_key_id)
                    : credentials_.find_temporary(authorization.access_key_id, token.front().value);
  const bool recognized = credential && credential->status == CredentialStatus::kActive;
  const sigv4::Scope scope{authorization.date, authorization.region, authorization.service};
  const std::string scope_text = scope.text();
  std::optional<Secret> key;
  bool derived = false;
  if (recognized) {
    key = cache_.find(*credential, scope_text);
    if (!key) {
      key = sigv4::signing_key(credential->secret_access_key, scope);
      derived = true;
    }
  }
  const Secret& signing_key = recognized ? *key : dummy_signing_key_;

  // The body's own hash is what is signed; a client's word for it is compared and not used, which
  // also refuses UNSIGNED-PAYLOAD.
  const std::string payload_hash = to_hex(sha256(request.body));
  const auto claimed_hash = headers.named(kContentHash);
  const bool honest = claimed_hash.empty() || claimed_hash.front().value == payload_hash;

  bool matches = false;
  if (all_present_once(headers, names)) {
    const std::string expected = sigv4::signature(
        signing_key, sigv4::string_to_sign(time.text, scope,
                                           sigv4::canonical_request(request.method, request.target,
                                                                    headers, names, payload_hash)));
    matches = equal_in_constant_time(as_bytes(expected), as_bytes(authorization.signature));
  }
  if (!recognized) {
    return Error(ErrorCode::kUnrecognizedClient,
                 "The security token included in the request is invalid.");
  }
  if (!matches || !honest) return mismatch();
  if (credential->session && credential->session->expires_at <= now) {
    return Error(ErrorCode::kExpiredToken, "The security token included in the request is expired");
  }

  // Kept only once it has verified something, so that forged requests evict nothing.
  if (derived) cache_.insert(*credential, scope_text, *key);
  return Caller{std::move(credential), std::string(authorization.region), sigv4::join_names(names),
                time.time};
}

}  // namespace keyhold::iam

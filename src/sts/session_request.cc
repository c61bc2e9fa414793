#include "sts/session_request.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "iam/arn_parts.h"
#include "iam/ascii.h"
#include "iam/document_kind.h"
#include "iam/identity.h"

namespace keyhold::sts {
namespace {

// Parameters of the API that change what a session may do, and are not built: to leave them out
// silently would make another session than was asked for.
constexpr std::array<std::string_view, 6> kRefused = {"PolicyArns.member.",
                                                      "TransitiveTagKeys.member.",
                                                      "ProvidedContexts.member.",
                                                      "SourceIdentity",
                                                      "SerialNumber",
                                                      "TokenCode"};

constexpr std::size_t kMinRoleArn = 20;
constexpr std::size_t kMaxRoleArn = 2048;
constexpr std::size_t kMinExternalId = 2;
constexpr std::size_t kMaxExternalId = 1224;

Fault null_value(std::string_view member) {
  std::string message = "1 validation error detected: Value null at '";
  message.append(member).append("' failed to satisfy constraint: Member must not be null");
  return {FaultCode::kValidationError, std::move(message)};
}

Answer<std::chrono::seconds> read_duration(const Form& form) {
  const auto text = form.find("DurationSeconds");
  if (!text) return std::chrono::seconds(iam::kDefaultSession);
  int seconds = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), seconds);
  if (error != std::errc{} || end != text->data() + text->size()) {
    return Fault{FaultCode::kValidationError, "DurationSeconds is not a number"};
  }
  if (seconds < iam::kShortestSession.count()) {
    return violation(*text, "durationSeconds",
                     "Member must have value greater than or equal to 900");
  }
  if (seconds > iam::kLongestSession.count()) {
    return violation(*text, "durationSeconds",
                     "Member must have value less than or equal to 43200");
  }
  return std::chrono::seconds(seconds);
}

Answer<std::vector<iam::Tag>> read_tags(const Form& form) {
  std::vector<iam::Tag> tags;
  std::vector<std::string> keys;
  for (std::size_t i = 1;; ++i) {
    const std::string member = "Tags.member." + std::to_string(i) + ".";
    const auto key = form.find(member + "Key");
    const auto value = form.find(member + "Value");
    if (!key && !value) break;
    if (!key) return null_value("tags." + std::to_string(i) + ".member.key");
    if (!value) return null_value("tags." + std::to_string(i) + ".member.value");
    if (key->empty() || key->size() > iam::kMaxTagKey || value->size() > iam::kMaxTagValue) {
      return Fault{FaultCode::kValidationError,
                   "A session tag has a key of 1 to 128 bytes and a value of at most 256."};
    }
    if (i > iam::kMaxTags) {
      return Fault{FaultCode::kValidationError, "A session has at most 50 tags."};
    }
    keys.push_back(iam::to_lower(*key));
    tags.push_back({std::string(*key), std::string(*value)});
  }
  std::sort(keys.begin(), keys.end());
  if (std::adjacent_find(keys.begin(), keys.end()) != keys.end()) {
    return Fault{FaultCode::kValidationError,
                 "Duplicate tag keys found. Please note that Tag keys are case insensitive."};
  }
  return tags;
}

}  // namespace

Fault violation(std::string_view value, std::string_view member, std::string_view constraint) {
  std::string message = "1 validation error detected: Value '";
  message.append(value).append("' at '").append(member);
  message.append("' failed to satisfy constraint: ").append(constraint);
  return {FaultCode::kValidationError, std::move(message)};
}

Answer<SessionRequest> SessionRequest::read(const Form& form) {
  for (const auto& [name, value] : form.all()) {
    for (const std::string_view refused : kRefused) {
      if (name.starts_with(refused)) {
        return Fault{FaultCode::kValidationError, "The parameter " + name + " is not supported."};
      }
    }
  }
  SessionRequest request;
  const auto role_arn = form.find("RoleArn");
  if (!role_arn) return null_value("roleArn");
  if (role_arn->size() < kMinRoleArn) {
    return violation(*role_arn, "roleArn", "Member must have length greater than or equal to 20");
  }
  const auto parts = iam::split_arn(*role_arn);
  if (role_arn->size() > kMaxRoleArn || !parts || (*parts)[1] != "aws" || (*parts)[2] != "iam" ||
      !(*parts)[5].starts_with("role/")) {
    return Fault{FaultCode::kValidationError, "Request ARN is invalid"};
  }
  request.role_arn = *role_arn;
  const auto session_name = form.find("RoleSessionName");
  if (!session_name) return null_value("roleSessionName");
  if (!iam::is_session_name(*session_name)) {
    constexpr std::size_t kMin = 2;
    constexpr std::size_t kMax = 64;
    return violation(*session_name, "roleSessionName",
                     session_name->size() < kMin
                         ? "Member must have length greater than or equal to 2"
                     : session_name->size() > kMax
                         ? "Member must have length less than or equal to 64"
                         : "Member must satisfy regular expression pattern: [\\w+=,.@-]*");
  }
  request.session_name = *session_name;
  if (const auto external_id = form.find("ExternalId")) {
    if (external_id->size() < kMinExternalId || external_id->size() > kMaxExternalId) {
      return violation(*external_id, "externalId",
                       external_id->size() < kMinExternalId
                           ? "Member must have length greater than or equal to 2"
                           : "Member must have length less than or equal to 1224");
    }
    request.external_id = *external_id;
  }
  if (const auto policy = form.find("Policy")) request.policy = *policy;
  auto duration = read_duration(form);
  if (!duration) return duration.error();
  request.duration = *duration;
  auto tags = read_tags(form);
  if (!tags) return tags.error();
  request.tags = std::move(*tags);
  return request;
}

void SessionKeys::set_provider(std::string_view host_and_path, std::string audience,
                               std::string subject) {
  provider_ = iam::to_lower(host_and_path);
  audience_ = std::move(audience);
  subject_ = std::move(subject);
}

iam::ContextValue SessionKeys::find(std::string_view name, iam::DocumentKind) const {
  using iam::ContextValue;
  constexpr std::string_view kRequestTag = "aws:requesttag/";
  if (name == "sts:externalid") {
    return request_.external_id ? ContextValue::of(*request_.external_id) : ContextValue::absent();
  }
  if (name == "sts:rolesessionname") return ContextValue::of(request_.session_name);
  if (name == "aws:tagkeys") {
    if (request_.tags.empty()) return ContextValue::absent();
    std::vector<std::string> keys;
    for (const iam::Tag& tag : request_.tags) keys.push_back(tag.key);
    return ContextValue::of(std::move(keys));
  }
  if (name.starts_with(kRequestTag)) {
    for (const iam::Tag& tag : request_.tags) {
      if (iam::to_lower(tag.key) == name.substr(kRequestTag.size())) {
        return ContextValue::of(tag.value);
      }
    }
    return ContextValue::absent();
  }
  if (name.starts_with("aws:resourcetag/")) return ContextValue::absent();
  if (!provider_.empty() && name.starts_with(provider_)) {
    const std::string_view claim = name.substr(provider_.size());
    if (claim == ":aud") return ContextValue::of(audience_);
    if (claim == ":sub") return ContextValue::of(subject_);
  }
  return {};
}

}  // namespace keyhold::sts

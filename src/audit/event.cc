#include "audit/event.h"

#include <initializer_list>
#include <string_view>
#include <utility>

#include "audit/utf8.h"
#include "base/json.h"

namespace keyhold::audit {
namespace {

constexpr std::string_view kEventVersion = "1.11";
constexpr std::string_view kAwsInternal = "AWS Internal";

std::string_view to_string(IdentityType type) {
  switch (type) {
    case IdentityType::kUnknown:
      return "Unknown";
    case IdentityType::kIamUser:
      return "IAMUser";
    case IdentityType::kRoot:
      return "Root";
    case IdentityType::kAssumedRole:
      return "AssumedRole";
    case IdentityType::kWebIdentityUser:
      return "WebIdentityUser";
  }
  return "Unknown";
}

/// CloudTrail shortens this one name (recorded); the others are as on the wire.
std::string_view error_code_in_trail(ErrorCode code) {
  return code == ErrorCode::kAccessDenied ? "AccessDenied" : error_row(code).wire_name;
}

void member(json::Writer& json, std::string_view name, std::string_view text) {
  json.key(name);
  if (is_utf8(text)) {
    json.string(text);
  } else {
    json.string(valid_utf8(text));
  }
}

void member_if_any(json::Writer& json, std::string_view name, std::string_view text) {
  if (!text.empty()) member(json, name, text);
}

void raw_or_null(json::Writer& json, std::string_view name, const RawJson& value) {
  json.key(name);
  if (value.empty()) {
    json.null();
  } else {
    json.raw(value);
  }
}

void raw_if_any(json::Writer& json, std::string_view name, const RawJson& value) {
  if (!value.empty()) json.key(name).raw(value);
}

void write_identity(json::Writer& json, const UserIdentity& identity) {
  json.key("userIdentity").begin_object();
  member(json, "type", to_string(identity.type));
  member_if_any(json, "principalId", identity.principal_id);
  member_if_any(json, "arn", identity.arn);
  member_if_any(json, "accountId", identity.account_id);
  member_if_any(json, "accessKeyId", identity.access_key_id);
  member_if_any(json, "userName", identity.user_name);
  member_if_any(json, "identityProvider", identity.identity_provider);
  if (!identity.issuer_arn.empty()) {
    json.key("sessionContext").begin_object().key("sessionIssuer").begin_object();
    member(json, "type", "Role");
    member(json, "principalId", identity.issuer_id);
    member(json, "arn", identity.issuer_arn);
    member(json, "accountId", identity.account_id);
    member(json, "userName", identity.issuer_name);
    json.end_object().key("attributes").begin_object();
    if (identity.session_issued_at) {
      member(json, "creationDate", to_iso8601(*identity.session_issued_at));
    }
    member(json, "mfaAuthenticated", "false");
    json.end_object().end_object();
  }
  json.end_object();
}

void write_resources(json::Writer& json, const std::vector<Resource>& resources) {
  json.key("resources").begin_array();
  for (const Resource& resource : resources) {
    json.begin_object();
    member(json, "accountId", resource.account_id);
    member(json, "type", resource.type);
    member(json, "ARN", resource.arn);
    json.end_object();
  }
  json.end_array();
}

/// What the service destroyed by itself: `response` names it.
ServiceEvent deletion_event(
    std::string event_name,
    std::initializer_list<std::pair<std::string_view, std::string_view>> response,
    const std::string& key_arn, TimePoint time, std::string region, std::string account_id,
    std::string event_id) {
  json::Writer elements;
  elements.begin_object();
  for (const auto& [name, value] : response) member(elements, name, value);
  elements.end_object();

  ServiceEvent event;
  event.time = time;
  event.event_name = std::move(event_name);
  event.region = std::move(region);
  event.resources = {{account_id, "AWS::KMS::Key", key_arn}};
  event.account_id = std::move(account_id);
  event.event_id = std::move(event_id);
  event.response_elements = elements.text();
  return event;
}

}  // namespace

void render(const ApiCallEvent& event, json::Writer& json) {
  json.begin_object();
  member(json, "eventVersion", kEventVersion);
  write_identity(json, event.identity);
  member(json, "eventTime", to_iso8601(event.time));
  member(json, "eventSource", event.event_source);
  member(json, "eventName", event.event_name);
  member(json, "awsRegion", event.region);
  member(json, "sourceIPAddress", event.source_ip_address);
  member_if_any(json, "userAgent", event.user_agent);
  if (event.error) {
    member(json, "errorCode",
           event.error_code.empty() ? error_code_in_trail(event.error->code()) : event.error_code);
    member_if_any(json, "errorMessage", event.error->message());
  }
  raw_or_null(json, "requestParameters", event.request_parameters);
  raw_or_null(json, "responseElements", event.error ? RawJson() : event.response_elements);
  raw_if_any(json, "additionalEventData", event.additional_event_data);
  member(json, "requestID", event.request_id);
  member(json, "eventID", event.event_id);
  json.key("readOnly").boolean(event.kind == CallKind::kReadOnly);
  write_resources(json, event.resources);
  member(json, "eventType", "AwsApiCall");
  json.key("managementEvent").boolean(true);
  member(json, "recipientAccountId", event.recipient_account_id);
  member(json, "eventCategory", "Management");
  if (event.tls) {
    json.key("tlsDetails").begin_object();
    member(json, "tlsVersion", event.tls->version);
    member(json, "cipherSuite", event.tls->cipher_suite);
    member_if_any(json, "clientProvidedHostHeader", event.tls->client_provided_host_header);
    json.end_object();
  }
  json.end_object();
}

std::string render(const ApiCallEvent& event) {
  json::Writer json;
  render(event, json);
  return std::string(json.text());
}

std::string render(const ServiceEvent& event) {
  json::Writer json;
  json.begin_object();
  member(json, "eventVersion", kEventVersion);
  json.key("userIdentity").begin_object();
  member_if_any(json, "accountId", event.account_id);
  member(json, "invokedBy", event.invoked_by);
  json.end_object();
  member(json, "eventTime", to_iso8601(event.time));
  member(json, "eventSource", event.event_source);
  member(json, "eventName", event.event_name);
  member_if_any(json, "awsRegion", event.region);
  member(json, "sourceIPAddress", kAwsInternal);
  member(json, "userAgent", kAwsInternal);
  json.key("requestParameters").null();
  raw_or_null(json, "responseElements", event.response_elements);
  raw_if_any(json, "additionalEventData", event.additional_event_data);
  member(json, "eventID", event.event_id);
  json.key("readOnly").boolean(false);
  write_resources(json, event.resources);
  member(json, "eventType", "AwsServiceEvent");
  json.key("managementEvent").boolean(true);
  member_if_any(json, "recipientAccountId", event.account_id);
  raw_if_any(json, "serviceEventDetails", event.service_event_details);
  member(json, "eventCategory", "Management");
  json.end_object();
  return std::string(json.text());
}

ServiceEvent rotate_key_event(const Rotation& rotation, TimePoint time, std::string region,
                              std::string account_id, std::string event_id) {
  json::Writer details;
  details.begin_object();
  member(details, "rotationType", keyhold::to_string(rotation.type));
  member(details, "keyOrigin", keyhold::to_string(rotation.origin));
  member(details, "previousKeyMaterialId", rotation.previous_key_material_id);
  member(details, "currentKeyMaterialId", rotation.current_key_material_id);
  member(details, "keyId", rotation.key_id);
  details.end_object();

  ServiceEvent event;
  event.time = time;
  event.event_name = "RotateKey";
  event.region = std::move(region);
  event.resources = {{account_id, "AWS::KMS::Key", rotation.key_arn}};
  event.account_id = std::move(account_id);
  event.event_id = std::move(event_id);
  event.service_event_details = details.text();
  return event;
}

ServiceEvent delete_key_event(const std::string& key_arn, TimePoint time, std::string region,
                              std::string account_id, std::string event_id) {
  return deletion_event("DeleteKey", {{"keyId", key_arn}}, key_arn, time, std::move(region),
                        std::move(account_id), std::move(event_id));
}

ServiceEvent delete_expired_key_material_event(const std::string& key_arn,
                                               const std::string& material_id, TimePoint time,
                                               std::string region, std::string account_id,
                                               std::string event_id) {
  return deletion_event("DeleteExpiredKeyMaterial",
                        {{"keyId", key_arn}, {"keyMaterialId", material_id}}, key_arn, time,
                        std::move(region), std::move(account_id), std::move(event_id));
}

ServiceEvent rotate_wrapping_key_event(const std::string& previous, const std::string& current,
                                       TimePoint time, std::string event_id) {
  json::Writer details;
  details.begin_object();
  member(details, "previousWrappingKey", previous);
  member(details, "currentWrappingKey", current);
  details.end_object();

  ServiceEvent event;
  event.time = time;
  event.event_name = "RotateWrappingKey";
  event.event_id = std::move(event_id);
  event.service_event_details = details.text();
  return event;
}

ServiceEvent operator_change_event(const OperatorChange& change, TimePoint time,
                                   std::string event_id) {
  json::Writer details;
  details.begin_object();
  details.key("operator").begin_object().key("uid").integer(change.uid).end_object();
  member_if_any(details, "principalArn", change.principal_arn);
  member_if_any(details, "accessKeyId", change.access_key_id);
  member_if_any(details, "previousAccessKeyId", change.previous_access_key_id);
  details.end_object();

  ServiceEvent event;
  event.time = time;
  event.invoked_by = "Operator";
  event.event_source = "iam.amazonaws.com";
  event.event_name = change.event_name;
  event.account_id = change.account_id;
  event.event_id = std::move(event_id);
  event.service_event_details = details.text();
  if (!change.resource_type.empty()) {
    event.resources = {{change.account_id, change.resource_type, change.principal_arn}};
  }
  return event;
}

}  // namespace keyhold::audit

// Records of the audit trail, in CloudTrail's shape.
// https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
//
// Nothing here holds a secret: plaintexts, ciphertexts, key bytes and tokens have no member, and
// who fills requestParameters leaves them out.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/vocabulary.h"

namespace keyhold::json {
class Writer;
}

namespace keyhold::audit {

/// A value already in JSON on one line, as json::Writer makes it. Empty: `null`, or the member left
/// out where CloudTrail leaves it out.
using RawJson = std::string;

enum class IdentityType : std::uint8_t {
  kUnknown,  ///< the call was not authenticated
  kIamUser,
  kRoot,
  kAssumedRole,      ///< a session of a role
  kWebIdentityUser,  ///< somebody that an OpenID provider vouches for
};

/// Who called. Empty members are left out.
struct UserIdentity {
  IdentityType type = IdentityType::kUnknown;
  std::string principal_id;
  std::string arn;
  std::string account_id;
  std::string access_key_id;
  std::string user_name;
  std::string identity_provider{};  ///< of a web identity
  /// Of a session, shown as sessionContext: the role that issued it, and when.
  std::string issuer_arn{};
  std::string issuer_id{};
  std::string issuer_name{};
  std::optional<TimePoint> session_issued_at{};
};

struct Resource {
  std::string account_id;
  std::string type;  ///< `AWS::KMS::Key`, `AWS::KMS::Alias`
  std::string arn;
};

struct TlsDetails {
  std::string version;                      ///< `TLSv1.3`
  std::string cipher_suite;                 ///< `TLS_AES_256_GCM_SHA384`
  std::string client_provided_host_header;  ///< empty: left out
};

enum class CallKind : std::uint8_t { kReadOnly, kWrite };

/// One call, answered or refused.
struct ApiCallEvent {
  TimePoint time;
  std::string event_source = "kms.amazonaws.com";
  std::string event_name;  ///< the operation
  std::string region;
  UserIdentity identity;
  std::string source_ip_address;
  std::string user_agent;  ///< as the client sent it; empty: left out
  /// Why the call failed. Its detail is not written; without a message there is no errorMessage.
  std::optional<Error> error;
  std::string error_code;  ///< of a service whose codes are not Error's; empty: the error's own
  RawJson request_parameters;
  RawJson response_elements;  ///< `null` if the call failed, whatever is here
  RawJson additional_event_data;
  std::string request_id;
  std::string event_id;  ///< a UUID
  CallKind kind = CallKind::kReadOnly;
  std::vector<Resource> resources;
  std::string recipient_account_id;
  std::optional<TlsDetails> tls;
};

/// What the service did by itself: RotateKey, DeleteKey, DeleteExpiredKeyMaterial, and
/// RotateWrappingKey, which AWS has not; and what it did at an operator's command. It has no caller
/// and no request. What is empty is left out where it says to whom an event belongs.
struct ServiceEvent {
  TimePoint time;
  std::string invoked_by = "AWS Internal";
  std::string event_source = "kms.amazonaws.com";
  std::string event_name;
  std::string region;
  std::string account_id;
  RawJson response_elements;
  RawJson additional_event_data;
  RawJson service_event_details;
  std::string event_id;  ///< a UUID
  std::vector<Resource> resources;
};

/// What a completed rotation changed.
struct Rotation {
  RotationType type = RotationType::kOnDemand;
  KeyOrigin origin = KeyOrigin::kAwsKms;
  std::string key_id;
  std::string key_arn;
  std::string previous_key_material_id;
  std::string current_key_material_id;
};

/// What an operator's command changed of who may call. Empty members are left out.
struct OperatorChange {
  std::string event_name;
  std::uint32_t uid = 0;  ///< of the user that gave the command
  std::string account_id{};
  std::string principal_arn{};
  std::string resource_type{};  ///< of the principal: `AWS::IAM::User`
  std::string access_key_id{};
  std::string previous_access_key_id{};
};

/// A record on one line, without a line end.
void render(const ApiCallEvent& event, json::Writer& line);
std::string render(const ApiCallEvent& event);
std::string render(const ServiceEvent& event);

/// The event of a rotation, of the instant at which it completed.
ServiceEvent rotate_key_event(const Rotation& rotation, TimePoint time, std::string region,
                              std::string account_id, std::string event_id);

/// The event of a KMS key's destruction at the end of its waiting period.
ServiceEvent delete_key_event(const std::string& key_arn, TimePoint time, std::string region,
                              std::string account_id, std::string event_id);

/// The event of the destruction of imported key material whose time was over.
ServiceEvent delete_expired_key_material_event(const std::string& key_arn,
                                               const std::string& material_id, TimePoint time,
                                               std::string region, std::string account_id,
                                               std::string event_id);

/// The event of the end of a rotation of the wrapping key of wrapped custody. It belongs to the
/// deployment, and so to no account and no region. The names are 64 hex characters.
ServiceEvent rotate_wrapping_key_event(const std::string& previous, const std::string& current,
                                       TimePoint time, std::string event_id);

/// The event of a change that an operator made.
ServiceEvent operator_change_event(const OperatorChange& change, TimePoint time,
                                   std::string event_id);

}  // namespace keyhold::audit

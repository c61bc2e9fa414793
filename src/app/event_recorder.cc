#include "app/event_recorder.h"

#include "audit/event.h"
#include "audit/event_bridge.h"
#include "base/ids.h"
#include "base/json.h"
#include "base/log.h"
#include "iam/arn_parts.h"

namespace keyhold::app {
namespace {

audit::IdentityType type_of(iam::PrincipalType type) {
  switch (type) {
    case iam::PrincipalType::kRoot:
      return audit::IdentityType::kRoot;
    case iam::PrincipalType::kUser:
      return audit::IdentityType::kIamUser;
    case iam::PrincipalType::kAssumedRole:
      return audit::IdentityType::kAssumedRole;
    case iam::PrincipalType::kWebIdentity:
      return audit::IdentityType::kWebIdentityUser;
    case iam::PrincipalType::kRole:
    case iam::PrincipalType::kGroup:
      break;  // neither calls
  }
  return audit::IdentityType::kUnknown;
}

audit::UserIdentity identity_of(const iam::Credential& credential) {
  const auto& principal = credential.principal;
  audit::UserIdentity identity;
  identity.type = type_of(principal.type);
  identity.principal_id = principal.id;
  identity.arn = principal.arn;
  identity.account_id = principal.account;
  identity.access_key_id = credential.access_key_id;
  if (principal.type != iam::PrincipalType::kAssumedRole) {
    identity.user_name = principal.name;
    return identity;
  }
  identity.issuer_arn = principal.role_arn;
  identity.issuer_id = principal.id.substr(0, principal.id.find(':'));
  identity.issuer_name = principal.name;
  if (credential.session) identity.session_issued_at = credential.session->issued_at;
  return identity;
}

/// The resource's type in AWS's words; the root of an account has none.
std::string resource_type_of(iam::PrincipalType type) {
  switch (type) {
    case iam::PrincipalType::kUser:
      return "AWS::IAM::User";
    case iam::PrincipalType::kRole:
      return "AWS::IAM::Role";
    case iam::PrincipalType::kGroup:
      return "AWS::IAM::Group";
    case iam::PrincipalType::kRoot:
    case iam::PrincipalType::kAssumedRole:
    case iam::PrincipalType::kWebIdentity:
      break;
  }
  return {};
}

audit::Rotation rotation_of(const kms::RotationEvent& event) {
  return {event.type,
          event.origin,
          event.key_id,
          event.key_arn,
          event.previous_material_id,
          event.current_material_id};
}

}  // namespace

Result<std::unique_ptr<EventRecorder>> EventRecorder::open(const std::filesystem::path& folder,
                                                           const Clock& clock,
                                                           audit::Durability usages) {
  audit::Writer::Options options;
  options.directory = folder;
  options.file_name = "events.jsonl";
  TRY_ASSIGN(auto trail, audit::Writer::open(options));
  options.file_name = "eventbridge.jsonl";
  TRY_ASSIGN(auto bus, audit::Writer::open(options));
  return std::unique_ptr<EventRecorder>(
      new EventRecorder(clock, usages, std::move(trail), std::move(bus)));
}

std::string EventRecorder::draw_event_id() {
  thread_local BufferedRandom random;
  return draw_uuid(random);
}

Result<void> EventRecorder::record_call(const RecordedCall& call) {
  const api::CallRecord& record = call.record;
  if (record.operation.empty()) return {};  // not an operation of KMS: CloudTrail has none of it

  audit::ApiCallEvent event;
  event.time = clock_.now();
  event.event_name = record.operation;
  event.region = call.requester.region;
  event.identity = identity_of(*call.caller.credential);
  event.source_ip_address = call.peer_address;
  event.user_agent = call.user_agent;
  event.error = record.error;
  event.request_parameters = record.request_parameters;
  event.response_elements = record.response_elements;
  if (record.additional_event_data != "null") {
    event.additional_event_data = record.additional_event_data;
  }
  event.request_id = call.request_id;
  event.event_id = call.event_id;
  event.kind =
      record.effect == api::Effect::kWrite ? audit::CallKind::kWrite : audit::CallKind::kReadOnly;
  for (const auto& resource : record.resources) {
    event.resources.push_back({resource.account, std::string(resource.type), resource.arn});
  }
  if (!call.tls.version.empty()) {
    event.tls = {call.tls.version, call.tls.cipher_suite, std::string(call.host)};
  }
  event.recipient_account_id = call.requester.account;
  json::Writer line;
  audit::render(event, line);
  return trail_->append(line.text(), record.effect == api::Effect::kWrite
                                         ? audit::Durability::kBeforeReturn
                                         : usages_);
}

Result<void> EventRecorder::check() const {
  for (const auto* writer : {trail_.get(), bus_.get()}) {
    if (writer->refuses()) {
      return Error(ErrorCode::kKmsInternal, {},
                   "the disk takes no records for " + writer->path().string());
    }
  }
  return {};
}

std::size_t EventRecorder::queued_bytes() const {
  return trail_->queued_bytes() + bus_->queued_bytes();
}

void EventRecorder::close() {
  for (const auto& writer : {trail_.get(), bus_.get()}) {
    const auto closed = writer->close();
    if (!closed) log::error(closed.error().message() + " " + closed.error().detail());
  }
}

Result<void> EventRecorder::record_session_call(const RecordedSessionCall& call) {
  const sts::Record& record = call.record;
  if (record.action.empty()) return {};
  audit::ApiCallEvent event;
  event.time = clock_.now();
  event.event_source = "sts.amazonaws.com";
  event.event_name = record.action;
  event.region = call.region;
  if (call.caller != nullptr) {
    event.identity = identity_of(*call.caller->credential);
  } else if (!record.web_identity.empty()) {
    event.identity.type = audit::IdentityType::kWebIdentityUser;
    event.identity.user_name = record.web_identity;
    event.identity.identity_provider = record.provider;
  }
  event.source_ip_address = call.peer_address;
  event.user_agent = call.user_agent;
  if (record.fault) {
    event.error = Error(ErrorCode::kKmsInternal, record.fault->message);
    event.error_code = sts::fault_row(record.fault->code).wire_name;
  }
  event.request_parameters = record.request_parameters;
  event.response_elements = record.response_elements;
  event.request_id = call.request_id;
  event.event_id = draw_uuid(random_);
  // CloudTrail calls all of STS read-only, since nothing is kept of it.
  event.kind = audit::CallKind::kReadOnly;
  if (!record.role_arn.empty()) {
    const auto parts = iam::split_arn(record.role_arn);
    event.recipient_account_id = parts ? std::string((*parts)[4]) : "";
    event.resources.push_back({event.recipient_account_id, "AWS::IAM::Role", record.role_arn});
  } else if (call.caller != nullptr) {
    event.recipient_account_id = call.caller->credential->principal.account;
  }
  if (!call.tls.version.empty()) {
    event.tls = audit::TlsDetails{call.tls.version, call.tls.cipher_suite, std::string(call.host)};
  }
  return trail_->append(audit::render(event), audit::Durability::kBeforeReturn);
}

Result<void> EventRecorder::record_change(std::string_view event_name, const Operator& by,
                                          const IdentityChange& change,
                                          std::string_view previous_access_key_id) {
  audit::OperatorChange told;
  told.event_name = event_name;
  told.uid = by.uid;
  if (change.principal) {
    told.account_id = change.principal->account;
    told.principal_arn = change.principal->arn;
    told.resource_type = resource_type_of(change.principal->type);
  }
  told.access_key_id = change.access_key_id;
  told.previous_access_key_id = previous_access_key_id;

  std::string what = told.event_name;
  if (!told.principal_arn.empty()) what += " of " + told.principal_arn;
  if (!told.access_key_id.empty()) what += ", access key " + told.access_key_id;
  log::info("operator of uid " + std::to_string(by.uid) + ": " + what);
  if (trail_->append(
          audit::render(audit::operator_change_event(told, clock_.now(), draw_uuid(random_))),
          audit::Durability::kBeforeReturn)) {
    return {};
  }
  return Error(ErrorCode::kValidation,
               "the change is made (" + what + "), but the audit trail does not take its event");
}

Result<void> EventRecorder::key_rotated(const kms::RotationEvent& event) {
  const auto rotation = rotation_of(event);
  TRY(trail_->append(audit::render(audit::rotate_key_event(rotation, event.rotated_at, event.region,
                                                           event.account, draw_uuid(random_))),
                     audit::Durability::kBeforeReturn));
  return bus_->append(
      audit::render_rotation({draw_uuid(random_), event.rotated_at, event.account, event.region},
                             rotation),
      audit::Durability::kBeforeReturn);
}

Result<void> EventRecorder::key_deleted(const kms::DeletionEvent& event) {
  TRY(trail_->append(
      audit::render(audit::delete_key_event(event.key_arn, event.deleted_at, event.region,
                                            event.account, draw_uuid(random_))),
      audit::Durability::kBeforeReturn));
  return bus_->append(
      audit::render_deletion({draw_uuid(random_), event.deleted_at, event.account, event.region},
                             event.key_id, event.key_arn),
      audit::Durability::kBeforeReturn);
}

Result<void> EventRecorder::material_expired(const kms::MaterialExpiryEvent& event) {
  TRY(trail_->append(audit::render(audit::delete_expired_key_material_event(
                         event.key_arn, event.material_id, event.expired_at, event.region,
                         event.account, draw_uuid(random_))),
                     audit::Durability::kBeforeReturn));
  return bus_->append(audit::render_material_expiration(
                          {draw_uuid(random_), event.expired_at, event.account, event.region},
                          event.key_id, event.key_arn, event.material_id),
                      audit::Durability::kBeforeReturn);
}

Result<void> EventRecorder::wrapping_key_rotated(const kms::WrappingKeyRotationEvent& event) {
  return trail_->append(audit::render(audit::rotate_wrapping_key_event(
                            event.previous_wrapping_key, event.current_wrapping_key,
                            event.rotated_at, draw_uuid(random_))),
                        audit::Durability::kBeforeReturn);
}

}  // namespace keyhold::app

#include "sts/service.h"

#include <algorithm>
#include <array>

#include "base/json.h"
#include "iam/arn_parts.h"
#include "sts/session_request.h"
#include "sts/xml.h"

namespace keyhold::sts {
namespace {

constexpr std::string_view kAssumeRole = "sts:AssumeRole";
constexpr std::string_view kWithWebIdentity = "sts:AssumeRoleWithWebIdentity";
constexpr std::string_view kTagSession = "sts:TagSession";
constexpr std::chrono::hours kLongestChained{1};

Fault access_denied(std::string_view who, std::string_view action, std::string_view role_arn) {
  std::string message;
  if (!who.empty()) message.append("User: ").append(who).append(" is not authorized");
  if (who.empty()) message.append("Not authorized");
  message.append(" to perform").append(who.empty() ? " " : ": ").append(action);
  if (!who.empty()) message.append(" on resource: ").append(role_arn);
  return {FaultCode::kAccessDenied, std::move(message)};
}

std::string request_parameters(const SessionRequest& request) {
  json::Writer writer;
  writer.begin_object().key("roleArn").string(request.role_arn);
  writer.key("roleSessionName").string(request.session_name);
  writer.key("durationSeconds").integer(request.duration.count());
  if (request.external_id) writer.key("externalId").string(*request.external_id);
  if (request.policy) writer.key("policy").string(*request.policy);
  if (!request.tags.empty()) {
    writer.key("tags").begin_array();
    for (const iam::Tag& tag : request.tags) {
      writer.begin_object().key("key").string(tag.key).key("value").string(tag.value).end_object();
    }
    writer.end_array();
  }
  writer.end_object();
  return std::string(writer.text());
}

std::string response_elements(const IssuedCredentials& issued) {
  json::Writer writer;
  writer.begin_object().key("credentials").begin_object();
  writer.key("accessKeyId").string(issued.access_key_id);
  writer.key("expiration").string(to_iso8601(issued.expires_at)).end_object();
  writer.key("assumedRoleUser").begin_object();
  writer.key("assumedRoleId").string(issued.principal.id);
  writer.key("arn").string(issued.principal.arn).end_object().end_object();
  return std::string(writer.text());
}

void write_session(XmlWriter& xml, const IssuedCredentials& issued) {
  xml.begin("AssumedRoleUser").text("AssumedRoleId", issued.principal.id);
  xml.text("Arn", issued.principal.arn).end("AssumedRoleUser");
  xml.begin("Credentials").text("AccessKeyId", issued.access_key_id);
  xml.text("SecretAccessKey", issued.secret_access_key.text());
  xml.text("SessionToken", issued.session_token);
  xml.text("Expiration", to_iso8601(issued.expires_at)).end("Credentials");
}

/// The shape of every answer: the result of `action`, and the request's id.
template <typename Write>
Secret render(std::string_view action, std::string_view request_id, const Write& write) {
  const std::string name(action);
  XmlWriter xml;
  xml.begin_root(name + "Response").begin(name + "Result");
  write(xml);
  xml.end(name + "Result").begin("ResponseMetadata").text("RequestId", request_id);
  xml.end("ResponseMetadata").end(name + "Response");
  return xml.take();
}

std::shared_ptr<const iam::Identity> find_role(const iam::IdentityDirectory& identities,
                                               std::string_view arn) {
  const auto parts = iam::split_arn(arn);
  if (!parts) return nullptr;
  const std::string_view resource = (*parts)[5];
  auto role = identities.find(iam::IdentityKind::kRole, (*parts)[4],
                              resource.substr(resource.rfind('/') + 1));
  return role && role->principal.arn == arn ? role : nullptr;
}

/// Whether the role's trust policy and the caller's own policies allow these actions.
bool may_assume(const iam::Actor& actor, const iam::Identity& role,
                std::initializer_list<std::string_view> actions,
                const iam::Environment& environment, const SessionKeys& keys) {
  return std::all_of(actions.begin(), actions.end(), [&](std::string_view action) {
    iam::Request request{actor.principal, action, role.principal.arn, role.principal.account,
                         environment};
    request.service_keys = &keys;
    if (actor.identity) request.identity_tags = actor.identity->tags;
    return iam::evaluate(actor.policies(role.trust.get()), request).allowed();
  });
}

Answer<IssuedCredentials> issue(SessionCredentials& sessions, SessionGrant grant, TimePoint now) {
  if (grant.policy) {
    const auto parsed = iam::PolicyDocument::parse(*grant.policy, iam::DocumentKind::kSessionPolicy,
                                                   "session policy", sessions.knows_key());
    if (!parsed) return fault_of(parsed.error());
  }
  if (grant.duration > grant.role->max_session) {
    return Fault{FaultCode::kValidationError,
                 "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."};
  }
  auto issued = sessions.issue(grant, now);
  if (!issued) return fault_of(issued.error());
  return std::move(*issued);
}

}  // namespace

/// An action of the API.
struct ActionRow {
  std::string_view name;
  Signature signature;
  Answer<Secret> (Service::*run)(const Call& call, Record& record) const;

  static const ActionRow* find(std::string_view name);
};

const ActionRow* ActionRow::find(std::string_view name) {
  static constexpr std::array<ActionRow, 3> kActions{{
      {"AssumeRole", Signature::kRequired, &Service::assume_role},
      {"AssumeRoleWithWebIdentity", Signature::kNone, &Service::assume_role_with_web_identity},
      {"GetCallerIdentity", Signature::kRequired, &Service::get_caller_identity},
  }};
  const auto row = std::ranges::find(kActions, name, &ActionRow::name);
  return row == kActions.end() ? nullptr : row;
}

Signature Service::signature_of(const Form& form) {
  const ActionRow* row = ActionRow::find(form.find("Action").value_or(""));
  return row == nullptr ? Signature::kRequired : row->signature;
}

Reply Service::refuse(const Fault& fault, std::string_view request_id) {
  Reply reply;
  reply.status = fault_row(fault.code).http_status;
  reply.body = render_fault(fault, request_id);
  reply.record.fault = fault;
  return reply;
}

Reply Service::handle(const Call& call) const {
  const auto action = call.form.find("Action");
  if (!action) {
    return refuse({FaultCode::kMissingAction, "Missing Action"}, call.request_id);
  }
  const ActionRow* row = ActionRow::find(*action);
  if (row == nullptr || call.form.find("Version").value_or("") != "2011-06-15") {
    return refuse({FaultCode::kInvalidAction,
                   "Could not find operation " + std::string(*action) + " for version " +
                       std::string(call.form.find("Version").value_or("NO_VERSION_SPECIFIED"))},
                  call.request_id);
  }
  Record record;
  record.action = row->name;
  auto answer = (this->*row->run)(call, record);
  Reply reply;
  if (answer) {
    reply.body = std::move(*answer);
  } else {
    reply = refuse(answer.error(), call.request_id);
    record.fault = answer.error();
    record.response_elements = "null";
  }
  reply.record = std::move(record);
  return reply;
}

Answer<Secret> Service::assume_role(const Call& call, Record& record) const {
  auto request = SessionRequest::read(call.form);
  if (!request) return request.error();
  record.request_parameters = request_parameters(*request);
  record.role_arn = request->role_arn;
  const iam::Actor& actor = *call.actor;
  if (actor.principal.type == iam::PrincipalType::kRoot) {
    return Fault{FaultCode::kAccessDenied, "Roles may not be assumed by root accounts."};
  }
  const auto role = find_role(identities_, request->role_arn);
  const Fault denied = access_denied(actor.principal.arn, kAssumeRole, request->role_arn);
  if (!role) return denied;
  const SessionKeys keys(*request);
  if (!may_assume(actor, *role, {kAssumeRole}, call.environment, keys)) return denied;
  if (!request->tags.empty() && !may_assume(actor, *role, {kTagSession}, call.environment, keys)) {
    return access_denied(actor.principal.arn, kTagSession, request->role_arn);
  }
  if (actor.principal.type == iam::PrincipalType::kAssumedRole &&
      request->duration > kLongestChained) {
    return Fault{FaultCode::kValidationError,
                 "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed "
                 "by role chaining."};
  }
  auto issued =
      issue(sessions_,
            {role, request->session_name, request->policy, request->tags, "", request->duration},
            call.environment.now);
  if (!issued) return issued.error();
  record.response_elements = response_elements(*issued);
  return render("AssumeRole", call.request_id,
                [&](XmlWriter& xml) { write_session(xml, *issued); });
}

Answer<Secret> Service::assume_role_with_web_identity(const Call& call, Record& record) const {
  auto request = SessionRequest::read(call.form);
  if (!request) return request.error();
  record.request_parameters = request_parameters(*request);
  record.role_arn = request->role_arn;
  const auto token = call.form.find("WebIdentityToken");
  if (!token) {
    return Fault{FaultCode::kValidationError,
                 "1 validation error detected: Value null at 'webIdentityToken' failed to satisfy "
                 "constraint: Member must not be null"};
  }
  const auto role = find_role(identities_, request->role_arn);
  // A provider belongs to the account that the role is in. Without either, the answer is the same.
  const Fault denied = access_denied("", kWithWebIdentity, request->role_arn);
  if (!role) return denied;
  const std::string issuer = claimed_issuer(*token);
  const auto providers = providers_.latest();
  const auto provider = std::ranges::find_if(*providers, [&](const Provider& candidate) {
    return candidate.issuer == issuer && candidate.account == role->principal.account;
  });
  if (provider == providers->end()) {
    return Fault{FaultCode::kInvalidIdentityToken,
                 "No OpenIDConnect provider found in your account for " + issuer};
  }
  auto identity = verify_web_identity(*token, *provider, call.environment.now);
  if (!identity) return identity.error();
  record.web_identity = identity->subject;
  record.provider = provider->arn();

  iam::Actor actor;
  actor.principal.type = iam::PrincipalType::kWebIdentity;
  actor.principal.provider = provider->arn();
  SessionKeys keys(*request);
  keys.set_provider(provider->host_and_path(), identity->audience, identity->subject);
  if (!may_assume(actor, *role, {kWithWebIdentity}, call.environment, keys)) return denied;
  if (!request->tags.empty()) {
    // Tags of such a session come from claims of the token, which are not read.
    return Fault{FaultCode::kValidationError, "The parameter Tags is not supported."};
  }
  auto issued =
      issue(sessions_,
            {role, request->session_name, request->policy, {}, provider->arn(), request->duration},
            call.environment.now);
  if (!issued) return issued.error();
  record.response_elements = response_elements(*issued);
  return render("AssumeRoleWithWebIdentity", call.request_id, [&](XmlWriter& xml) {
    write_session(xml, *issued);
    xml.text("SubjectFromWebIdentityToken", identity->subject);
    xml.text("Audience", identity->audience).text("Provider", provider->arn());
  });
}

Answer<Secret> Service::get_caller_identity(const Call& call, Record&) const {
  const iam::Principal& principal = call.actor->principal;
  return render("GetCallerIdentity", call.request_id, [&](XmlWriter& xml) {
    xml.text("Arn", principal.arn).text("UserId", principal.id);
    xml.text("Account", principal.account);
  });
}

}  // namespace keyhold::sts

#include "api/context.h"

#include "api/operation.h"
#include "base/json.h"
#include "kms/arn.h"

namespace keyhold::api {
namespace {

/// What the members for one of two keys begin with.
std::string_view member_prefix(std::string_view member) {
  for (const std::string_view prefix : {"Source", "Destination"}) {
    if (member.starts_with(prefix)) return prefix;
  }
  return {};
}

/// Which operations can be asked how long their key was not used.
bool asks_for_usage(std::string_view operation) {
  return operation == "DisableKey" || operation == "ScheduleKeyDeletion";
}

}  // namespace

kms::AccessRequest Context::access_request(std::string_view action,
                                           const kms::CallFacts& facts) const {
  return {.actor = *requester_.actor,
          .environment = requester_.environment,
          .action = action,
          .facts = facts};
}

Result<void> Context::take(std::string_view action, kms::Access access) {
  decisions_.push_back(std::string(action) + ": " + access.reason);
  if (access.grant) note_grant(access.grant->grant_id);
  if (access.denial) return std::move(*access.denial);
  return {};
}

Result<void> Context::check_account_access(std::string_view action, std::string_view resource) {
  const kms::CallFacts facts{.parameters = parameters_, .operation = operation_.name};
  auto request = access_request(action, facts);
  request.resource = resource;
  return take(action, service_.decide(request));
}

Result<void> Context::check_key_access(std::size_t index) {
  const KeyUse& use = operation_.keys[index];
  const kms::Key& used = key(index);
  kms::CallFacts facts{.parameters = parameters_,
                       .operation = operation_.name,
                       .key = &used,
                       .other_key = find_key(1 - index),
                       .member_prefix = member_prefix(use.member)};
  if (const std::string* identifier = parameters_.text(use.member)) {
    facts.identifier = *identifier;
  }
  if (asks_for_usage(operation_.name)) {
    facts.days_without_usage = service_.usage_of(used).days_unused;
  }
  auto request = access_request(use.action, facts);
  request.grant_operation = parse_word<GrantOperation>(use.grant_operation);
  request.cross_account = request.grant_operation ? kms::CrossAccount::kYes : use.cross_account;
  return take(use.action, service_.decide(request));
}

Result<void> Context::check_retirement(const kms::Key& key, const kms::GrantRecord& grant) {
  constexpr std::string_view kAction = "kms:RetireGrant";
  const kms::CallFacts facts{
      .parameters = parameters_, .operation = operation_.name, .key = &key, .grant = &grant};
  return take(kAction, service_.decide_retirement(access_request(kAction, facts)));
}

Result<void> Context::check_lockout(const kms::Key* key, const iam::PolicyDocument& policy) {
  constexpr std::string_view kAction = "kms:PutKeyPolicy";
  const kms::CallFacts facts{.parameters = parameters_, .operation = operation_.name, .key = key};
  // The id of a key that is yet to be made is nobody's to know.
  const std::string resource = kms::key_arn(scope_.region, scope_.account, "*");
  auto request = access_request(kAction, facts);
  request.resource = resource;
  auto access = service_.decide_lockout(request, policy);
  if (access.denial) return std::move(*access.denial);
  return {};
}

std::string Context::additional_event_data() const {
  if (notes_.empty() && decisions_.empty()) return "null";
  json::Writer writer;
  writer.begin_object();
  if (!decisions_.empty()) {
    writer.key("authorization").begin_array();
    for (const std::string& decision : decisions_) writer.string(decision);
    writer.end_array();
  }
  for (const auto& [member, value] : notes_) writer.key(member).string(value);
  writer.end_object();
  return std::string(writer.text());
}

}  // namespace keyhold::api

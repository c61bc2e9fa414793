#include "app/policy_explanation.h"

#include <algorithm>

#include "api/operation.h"
#include "base/vocabulary.h"
#include "iam/arn_parts.h"
#include "kms/condition_keys.h"

namespace keyhold::app {
namespace {

constexpr std::string_view kActionPrefix = "kms:";

Error invalid(std::string message) { return Error(ErrorCode::kValidation, std::move(message)); }

std::string text_of(const json::Value& object, std::string_view name) {
  const auto member = object.member(name);
  return std::string(member ? member->string().value_or("") : "");
}

/// A call of which only the encryption context is known.
class ContextAlone final : public kms::NoParameters {
 public:
  explicit ContextAlone(kms::EncryptionContext context) : context_(std::move(context)) {}

  const kms::EncryptionContext* context(std::string_view member) const override {
    return member.ends_with("EncryptionContext") && !context_.empty() ? &context_ : nullptr;
  }

 private:
  kms::EncryptionContext context_;
};

Result<iam::Actor> find_actor(const iam::IdentityDirectory& identities, std::string_view arn) {
  const auto parts = iam::split_arn(arn);
  if (!parts) return invalid("--principal takes an ARN, not '" + std::string(arn) + "'");
  const std::string_view account = (*parts)[4];
  std::string_view resource = (*parts)[5];
  iam::Credential credential;
  constexpr std::string_view kSession = "assumed-role/";
  if (!resource.starts_with(kSession)) {
    TRY_ASSIGN(credential.principal, iam::parse_principal(resource, account));
    return identities.actor(credential);
  }
  resource.remove_prefix(kSession.size());
  const std::string_view role_name = resource.substr(0, resource.find('/'));
  const auto role = identities.find(iam::IdentityKind::kRole, account, role_name);
  const std::string_view session = resource.substr(std::min(resource.size(), role_name.size() + 1));
  if (!role || !iam::is_session_name(session)) {
    return invalid("there is no role of which " + std::string(arn) + " is a session");
  }
  credential.principal = iam::session_principal(role->principal, session);
  return identities.actor(credential);
}

Result<kms::EncryptionContext> read_context(const json::Value& question) {
  std::vector<std::pair<std::string, std::string>> pairs;
  if (const auto context = question.member("context")) {
    context->for_each_member([&](std::string_view name, json::Value value) {
      pairs.emplace_back(name, value.string().value_or(""));
      return true;
    });
  }
  return kms::EncryptionContext::from_pairs(std::move(pairs));
}

/// How the operations of the API use keys under that action.
const api::KeyUse* find_use(std::string_view action, std::string_view& operation_name) {
  for (const api::Operation* operation : api::operations()) {
    for (const api::KeyUse& use : operation->keys) {
      if (use.action == action) {
        operation_name = operation->name;
        return &use;
      }
    }
  }
  return nullptr;
}

}  // namespace

bool knows_condition_key(std::string_view name) {
  if (name.starts_with(kActionPrefix)) return kms::is_condition_key(name);
  if (name.starts_with("sts:")) return name == "sts:externalid" || name == "sts:rolesessionname";
  return true;
}

Result<std::string> explain_policy(kms::Service& service, const iam::IdentityDirectory& identities,
                                   const Clock& clock, const json::Value& question) {
  const std::string action = text_of(question, "action");
  if (!action.starts_with(kActionPrefix)) {
    return invalid("--action takes an action of KMS, as kms:Encrypt, not '" + action + "'");
  }
  TRY_ASSIGN(const iam::Actor actor, find_actor(identities, text_of(question, "principal")));
  TRY_ASSIGN(auto context, read_context(question));
  const ContextAlone parameters(std::move(context));
  const std::string region = text_of(question, "region");
  const std::string source_ip = text_of(question, "sourceIp");

  std::string_view operation_name = std::string_view(action).substr(kActionPrefix.size());
  const api::KeyUse* use = find_use(action, operation_name);
  kms::CallFacts facts{.parameters = parameters, .operation = operation_name};
  const std::string identifier = text_of(question, "key");
  kms::KeyPtr key;
  if (!identifier.empty()) {
    auto found = service.find_key({actor.principal.account, region}, identifier,
                                  kms::KeyLookup::kIdArnOrAlias);
    if (!found) {
      return invalid(found.error().message().empty() ? "there is no key " + identifier
                                                     : found.error().message());
    }
    key = std::move(*found);
    facts.key = key.get();
    facts.identifier = identifier;
  }
  const iam::Environment environment{clock.now(), source_ip, iam::Transport::kPlain,
                                     "",          region,    std::nullopt};
  kms::AccessRequest request{
      .actor = actor, .environment = environment, .action = action, .facts = facts};
  if (use != nullptr) {
    request.cross_account =
        api::works_across_accounts(*use) ? kms::CrossAccount::kYes : kms::CrossAccount::kNo;
    request.grant_operation = parse_word<GrantOperation>(use->grant_operation);
  }
  const kms::Access access = service.decide(request);

  json::Writer writer;
  writer.begin_object().key("decision").string(access.allowed() ? "allowed" : "denied");
  writer.key("reason").string(access.reason);
  if (access.denial) writer.key("message").string(access.denial->message());
  writer.end_object();
  return std::string(writer.text());
}

}  // namespace keyhold::app

#include "app/principal_commands.h"

#include <algorithm>
#include <array>

namespace keyhold::app {

using Answer = Result<std::string>;

struct PrincipalCommandRow {
  std::string_view name;
  Answer (*run)(PrincipalCommands& commands, const Operator& by, const json::Value& request);

  static PrincipalStore& principals(PrincipalCommands& commands) { return commands.principals_; }
  static CredentialStore& credentials(PrincipalCommands& commands) { return commands.credentials_; }
  static EventRecorder& recorder(PrincipalCommands& commands) { return commands.recorder_; }
  static void forget(PrincipalCommands& commands, std::string_view access_key_id) {
    commands.verifier_.forget(access_key_id);
  }
};

namespace {

using Row = PrincipalCommandRow;

std::string text_of(const json::Value& request, std::string_view name) {
  const auto member = request.member(name);
  return std::string(member ? member->string().value_or("") : "");
}

std::string account_of(PrincipalCommands& commands, const json::Value& request) {
  std::string account = text_of(request, "account");
  return account.empty() ? Row::principals(commands).options().account : account;
}

/// Puts a change on record, whether it is in effect already or not: it is in the store.
Result<void> tell(PrincipalCommands& commands, const Operator& by, std::string_view event_name,
                  const IdentityChange& change, std::string_view previous_access_key_id = {}) {
  TRY(Row::recorder(commands).record_change(event_name, by, change, previous_access_key_id));
  return change.in_effect;
}

Answer told(PrincipalCommands& commands, const Operator& by, std::string_view event_name,
            const Result<IdentityChange>& change) {
  if (!change) return change.error();
  TRY(tell(commands, by, event_name, *change));
  return std::string("{}");
}

Answer put(PrincipalCommands& commands, const Operator& by, const json::Value& request) {
  const auto definition = request.member("definition");
  if (!definition) return Error(ErrorCode::kValidation, "the request has no definition");
  return told(commands, by, "PutPrincipal", Row::principals(commands).put(*definition));
}

Answer remove(PrincipalCommands& commands, const Operator& by, const json::Value& request) {
  return told(
      commands, by, "RemovePrincipal",
      Row::principals(commands).remove(account_of(commands, request), text_of(request, "name")));
}

Answer list(PrincipalCommands& commands, const Operator&, const json::Value&) {
  json::Writer writer;
  writer.begin_object().key("principals").begin_array();
  for (const std::string& definition : Row::principals(commands).definitions()) {
    writer.raw(definition);
  }
  writer.end_array().end_object();
  return std::string(writer.text());
}

Answer reload(PrincipalCommands& commands, const Operator& by, const json::Value&) {
  TRY(Row::principals(commands).load());
  return told(commands, by, "ReloadPrincipals", IdentityChange{});
}

Answer revoke(PrincipalCommands& commands, const Operator& by, const json::Value& request) {
  PrincipalStore& principals = Row::principals(commands);
  const std::string role = text_of(request, "role");
  return told(commands, by, "RevokeSessions",
              role.empty() ? principals.revoke_access_key(text_of(request, "accessKeyId"))
                           : principals.revoke_role(account_of(commands, request), role));
}

/// An access key of a user that is not defined could call nothing, and would be of whoever is made
/// under that name later. Root needs no definition.
Result<void> check_known(PrincipalCommands& commands, std::string_view account,
                         std::string_view principal) {
  TRY_ASSIGN(const auto who, iam::parse_principal(principal, account));
  if (who.type == iam::PrincipalType::kRoot) return {};
  const auto known =
      Row::principals(commands).directory().find(iam::IdentityKind::kUser, who.account, who.name);
  if (known && known->principal.arn == who.arn) return {};
  return Error(ErrorCode::kNotFound, "there is no " + std::string(principal) + " in account " +
                                         who.account + "; `keyhold principal put` makes one");
}

std::string shown_once(const AccessKey& key) {
  json::Writer writer;
  writer.begin_object().key("accessKeyId").string(key.access_key_id);
  writer.key("secretAccessKey").string(key.secret_access_key.text()).end_object();
  return std::string(writer.text());
}

Answer create_credential(PrincipalCommands& commands, const Operator& by,
                         const json::Value& request) {
  const std::string account = account_of(commands, request);
  const std::string principal = text_of(request, "principal");
  TRY(check_known(commands, account, principal));
  TRY_ASSIGN(const auto made, Row::credentials(commands).create(account, principal));
  TRY(tell(commands, by, "CreateAccessKey", made.change));
  return shown_once(made.key);
}

Answer rotate_credential(PrincipalCommands& commands, const Operator& by,
                         const json::Value& request) {
  const std::string access_key_id = text_of(request, "accessKeyId");
  TRY_ASSIGN(const auto all, Row::credentials(commands).list());
  const auto old = std::ranges::find(all, access_key_id, &store::CredentialRecord::access_key_id);
  if (old == all.end()) {
    return Error(ErrorCode::kNotFound, "there is no access key " + access_key_id);
  }
  TRY(check_known(commands, old->account, old->principal));
  TRY_ASSIGN(const auto made, Row::credentials(commands).create(old->account, old->principal));
  TRY(tell(commands, by, "RotateAccessKey", made.change, access_key_id));
  return shown_once(made.key);
}

Answer list_credentials(PrincipalCommands& commands, const Operator&, const json::Value&) {
  TRY_ASSIGN(const auto all, Row::credentials(commands).list());
  json::Writer writer;
  writer.begin_object().key("credentials").begin_array();
  for (const auto& row : all) {
    writer.begin_object().key("accessKeyId").string(row.access_key_id);
    writer.key("account").string(row.account).key("principal").string(row.principal);
    writer.key("status").string(row.status == store::CredentialStatus::kActive ? "active"
                                                                               : "disabled");
    writer.end_object();
  }
  writer.end_array().end_object();
  return std::string(writer.text());
}

Answer disable(PrincipalCommands& commands, const Operator& by, const json::Value& request) {
  const std::string access_key_id = text_of(request, "accessKeyId");
  const auto change =
      Row::credentials(commands).set_status(access_key_id, store::CredentialStatus::kDisabled);
  if (change) Row::forget(commands, access_key_id);
  return told(commands, by, "DisableAccessKey", change);
}

Answer enable(PrincipalCommands& commands, const Operator& by, const json::Value& request) {
  const std::string access_key_id = text_of(request, "accessKeyId");
  const auto change =
      Row::credentials(commands).set_status(access_key_id, store::CredentialStatus::kActive);
  if (change) Row::forget(commands, access_key_id);
  return told(commands, by, "EnableAccessKey", change);
}

constexpr std::array kCommands = std::to_array<Row>({
    {"principal.put", put},
    {"principal.remove", remove},
    {"principal.list", list},
    {"principal.reload", reload},
    {"principal.revoke", revoke},
    {"credential.create", create_credential},
    {"credential.list", list_credentials},
    {"credential.rotate", rotate_credential},
    {"credential.disable", disable},
    {"credential.enable", enable},
});

}  // namespace

std::optional<Result<std::string>> PrincipalCommands::answer(const Operator& by,
                                                             std::string_view command,
                                                             const json::Value& request) {
  const auto row = std::ranges::find(kCommands, command, &Row::name);
  if (row == kCommands.end()) return std::nullopt;
  return row->run(*this, by, request);
}

}  // namespace keyhold::app

#include "app/principal_commands.h"

#include <algorithm>
#include <array>

namespace keyhold::app {

using Answer = Result<std::string>;

struct PrincipalCommandRow {
  std::string_view name;
  Answer (*run)(PrincipalCommands& commands, const json::Value& request);

  static PrincipalStore& principals(PrincipalCommands& commands) { return commands.principals_; }
  static CredentialStore& credentials(PrincipalCommands& commands) { return commands.credentials_; }
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

Answer done(const Result<void>& result) {
  if (!result) return result.error();
  return std::string("{}");
}

Answer put(PrincipalCommands& commands, const json::Value& request) {
  const auto definition = request.member("definition");
  if (!definition) return Error(ErrorCode::kValidation, "the request has no definition");
  return done(Row::principals(commands).put(*definition));
}

Answer remove(PrincipalCommands& commands, const json::Value& request) {
  return done(
      Row::principals(commands).remove(account_of(commands, request), text_of(request, "name")));
}

Answer list(PrincipalCommands& commands, const json::Value&) {
  json::Writer writer;
  writer.begin_object().key("principals").begin_array();
  for (const std::string& definition : Row::principals(commands).definitions()) {
    writer.raw(definition);
  }
  writer.end_array().end_object();
  return std::string(writer.text());
}

Answer reload(PrincipalCommands& commands, const json::Value&) {
  return done(Row::principals(commands).load());
}

Answer revoke(PrincipalCommands& commands, const json::Value& request) {
  const std::string role = text_of(request, "role");
  if (role.empty()) {
    return done(Row::principals(commands).revoke_access_key(text_of(request, "accessKeyId")));
  }
  return done(Row::principals(commands).revoke_role(account_of(commands, request), role));
}

std::string shown_once(const AccessKey& key) {
  json::Writer writer;
  writer.begin_object().key("accessKeyId").string(key.access_key_id);
  writer.key("secretAccessKey").string(key.secret_access_key.text()).end_object();
  return std::string(writer.text());
}

Answer create_credential(PrincipalCommands& commands, const json::Value& request) {
  TRY_ASSIGN(const auto key, Row::credentials(commands).create(account_of(commands, request),
                                                               text_of(request, "principal")));
  return shown_once(key);
}

Answer rotate_credential(PrincipalCommands& commands, const json::Value& request) {
  const std::string access_key_id = text_of(request, "accessKeyId");
  TRY_ASSIGN(const auto all, Row::credentials(commands).list());
  const auto old = std::ranges::find(all, access_key_id, &store::CredentialRecord::access_key_id);
  if (old == all.end()) {
    return Error(ErrorCode::kNotFound, "there is no access key " + access_key_id);
  }
  TRY_ASSIGN(const auto key, Row::credentials(commands).create(old->account, old->principal));
  return shown_once(key);
}

Answer list_credentials(PrincipalCommands& commands, const json::Value&) {
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

Answer set_status(PrincipalCommands& commands, const json::Value& request,
                  store::CredentialStatus status) {
  const std::string access_key_id = text_of(request, "accessKeyId");
  TRY(Row::credentials(commands).set_status(access_key_id, status));
  Row::forget(commands, access_key_id);
  return std::string("{}");
}

Answer disable(PrincipalCommands& commands, const json::Value& request) {
  return set_status(commands, request, store::CredentialStatus::kDisabled);
}

Answer enable(PrincipalCommands& commands, const json::Value& request) {
  return set_status(commands, request, store::CredentialStatus::kActive);
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

std::optional<Result<std::string>> PrincipalCommands::answer(std::string_view command,
                                                             const json::Value& request) {
  const auto row = std::ranges::find(kCommands, command, &Row::name);
  if (row == kCommands.end()) return std::nullopt;
  return row->run(*this, request);
}

}  // namespace keyhold::app

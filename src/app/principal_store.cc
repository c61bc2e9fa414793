#include "app/principal_store.h"

#include <algorithm>
#include <functional>
#include <span>

#include "app/administrator.h"
#include "app/data_folder.h"

namespace keyhold::app {
namespace {

constexpr std::string_view kRoot = "root";

Error named(std::string_view what, const Error& error) {
  return Error(error.code(), std::string(what) + ": " + error.message(), error.detail());
}

std::string name_of(const iam::IdentityDefinition& definition) {
  return definition.account + " " + std::string(to_string(definition.kind)) + "/" + definition.name;
}

bool is_same(const iam::IdentityDefinition& a, iam::IdentityKind kind, std::string_view account,
             std::string_view name) {
  return a.kind == kind && a.account == account && a.name == name;
}

void put_over(std::vector<iam::IdentityDefinition>& all, iam::IdentityDefinition definition) {
  const auto known = std::ranges::find_if(all, [&](const auto& other) {
    return is_same(other, definition.kind, definition.account, definition.name);
  });
  if (known == all.end()) {
    all.push_back(std::move(definition));
  } else {
    *known = std::move(definition);
  }
}

Result<json::Document> parse_json(std::string& text, std::string_view what) {
  auto document =
      json::Document::parse(std::span(reinterpret_cast<std::uint8_t*>(text.data()), text.size()));
  if (!document) return Error(ErrorCode::kValidation, std::string(what) + " is not JSON");
  return document;
}

/// What the operator's file holds.
struct PrincipalFile {
  std::vector<iam::IdentityDefinition> definitions;
  sts::Providers providers;
};

Result<sts::Provider> read_provider(const json::Value& value, std::string_view account,
                                    const std::filesystem::path& folder, KeySources& sources) {
  sts::Provider provider;
  provider.account = account;
  std::string keys;
  std::string authorities;
  bool understood = value.type() == json::Value::Type::kObject;
  value.for_each_member([&](std::string_view name, json::Value member) {
    if (name == "issuer" && member.string()) {
      provider.issuer = *member.string();
    } else if (name == "account" && member.string()) {
      provider.account = *member.string();
    } else if (name == "keys" && member.string()) {
      keys = *member.string();
    } else if (name == "certificateAuthorities" && member.string()) {
      authorities = *member.string();
    } else if (name == "audiences" && member.type() == json::Value::Type::kArray) {
      for (std::size_t i = 0; i < member.size(); ++i) {
        provider.audiences.emplace_back(member.element(i).string().value_or(""));
      }
    } else {
      understood = false;
    }
    return understood;
  });
  if (!understood || !provider.issuer.starts_with("https://") ||
      !iam::is_account(provider.account) || provider.audiences.empty() || keys.empty()) {
    return Error(ErrorCode::kValidation,
                 "a provider has an issuer (https://…), an array of audiences, keys (the path or "
                 "the https:// address of a key set), and perhaps certificateAuthorities and an "
                 "account");
  }
  TRY_ASSIGN(provider.keys, sources.open(keys, folder, authorities));
  return provider;
}

/// Calls `take` for each element of an array that may be absent; an error names its place.
Result<void> for_each_element(const json::Value& root, const std::string& name,
                              const std::filesystem::path& path,
                              const std::function<Result<void>(const json::Value& element)>& take) {
  const auto array = root.member(name);
  if (!array) return {};
  for (std::size_t i = 0; i < array->size(); ++i) {
    const auto taken = take(array->element(i));
    if (!taken) {
      return named(path.string() + ", " + name + ", " + std::to_string(i), taken.error());
    }
  }
  return {};
}

/// An object with the arrays `principals` and `providers`.
Result<PrincipalFile> read_principal_file(const std::filesystem::path& path,
                                          std::string_view account, KeySources& sources) {
  TRY_ASSIGN(std::string text, read_file(path));
  TRY_ASSIGN(const auto document, parse_json(text, path.string()));
  const json::Value root = document.root();
  Result<void> known;
  root.for_each_member([&](std::string_view name, json::Value value) {
    const bool is_known =
        (name == "principals" || name == "providers") && value.type() == json::Value::Type::kArray;
    if (!is_known) {
      known = Error(ErrorCode::kValidation,
                    path.string() + " has \"" + std::string(name) +
                        "\", and not only the arrays \"principals\" and \"providers\"");
    }
    return is_known;
  });
  TRY(std::move(known));
  if (root.type() != json::Value::Type::kObject) {
    return Error(ErrorCode::kValidation, path.string() + " is no JSON object");
  }
  PrincipalFile file;
  TRY(for_each_element(root, "principals", path, [&](const json::Value& element) -> Result<void> {
    TRY_ASSIGN(auto definition, iam::parse_definition(element, account));
    file.definitions.push_back(std::move(definition));
    return {};
  }));
  TRY(for_each_element(root, "providers", path, [&](const json::Value& element) -> Result<void> {
    TRY_ASSIGN(auto provider, read_provider(element, account, path.parent_path(), sources));
    file.providers.push_back(std::move(provider));
    return {};
  }));
  return file;
}

struct Named {
  iam::IdentityKind kind;
  std::string_view name;
};

Result<Named> parse_name(std::string_view type_and_name) {
  const auto kind = iam::parse_identity_kind(type_and_name.substr(0, type_and_name.find('/')));
  if (!kind || type_and_name.find('/') == std::string_view::npos) {
    return Error(ErrorCode::kValidation, "a principal is named user/NAME, group/NAME or role/NAME");
  }
  return Named{*kind, type_and_name.substr(type_and_name.rfind('/') + 1)};
}

}  // namespace

Result<void> PrincipalStore::load() {
  const std::lock_guard lock(mutex_);
  TRY(load_revocations());
  TRY(load_locked());
  loaded_at_ = std::chrono::steady_clock::now();
  return {};
}

Result<void> PrincipalStore::load_revocations() {
  TRY_ASSIGN(const auto rows, store_.revocations());
  iam::SessionRevocations::Map revoked;
  for (const auto& row : rows) revoked[row.subject] = row.issued_before;
  revocations_.publish(std::move(revoked));
  return {};
}

Result<void> PrincipalStore::load_locked() {
  std::vector<iam::IdentityDefinition> all;
  if (options_.administrator != kRoot) {
    TRY_ASSIGN(auto administrator,
               administrator_definition(options_.administrator, options_.account));
    all.push_back(std::move(administrator));
  }
  TRY_ASSIGN(const auto rows, store_.identities());
  for (const auto& row : rows) {
    std::string text = row.definition;
    TRY_ASSIGN(const auto document, parse_json(text, "the store's row of " + row.name));
    TRY_ASSIGN(auto definition, iam::parse_definition(document.root(), row.account));
    put_over(all, std::move(definition));
  }
  PrincipalFile file;
  if (!options_.file.empty()) {
    TRY_ASSIGN(file, read_principal_file(options_.file, options_.account, key_sources_));
  }
  for (const auto& definition : file.definitions) put_over(all, definition);

  std::vector<iam::Identity> identities;
  for (const auto& definition : all) {
    auto identity = iam::compile_identity(definition, options_.knows_key);
    if (!identity) return named(name_of(definition), identity.error());
    identities.push_back(std::move(*identity));
  }
  definitions_ = std::move(all);
  file_definitions_ = std::move(file.definitions);
  providers_.publish(std::make_shared<const sts::Providers>(std::move(file.providers)));
  directory_.publish(std::move(identities));
  return {};
}

bool PrincipalStore::in_file(iam::IdentityKind kind, std::string_view account,
                             std::string_view name) const {
  return std::ranges::any_of(file_definitions_, [&](const auto& definition) {
    return is_same(definition, kind, account, name);
  });
}

Result<IdentityChange> PrincipalStore::put(const json::Value& value) {
  const std::lock_guard lock(mutex_);
  TRY_ASSIGN(const auto definition, iam::parse_definition(value, options_.account));
  TRY_ASSIGN(auto identity, iam::compile_identity(definition, options_.knows_key));
  if (in_file(definition.kind, definition.account, definition.name)) {
    return Error(ErrorCode::kConflict, name_of(definition) + " is defined by the file");
  }
  TRY(store_.put_identity({definition.account, std::string(to_string(definition.kind)),
                           definition.name, iam::render_definition(definition), clock_.now()}));
  return IdentityChange{std::move(identity.principal), {}, load_locked()};
}

Result<IdentityChange> PrincipalStore::remove(std::string_view account,
                                              std::string_view type_and_name) {
  const std::lock_guard lock(mutex_);
  TRY_ASSIGN(const Named name, parse_name(type_and_name));
  if (in_file(name.kind, account, name.name)) {
    return Error(ErrorCode::kConflict, std::string(type_and_name) + " is defined by the file");
  }
  const auto identity = directory_.find(name.kind, account, name.name);
  const auto deleted = store_.delete_identity(account, to_string(name.kind), name.name);
  if (!deleted && deleted.error().code() == ErrorCode::kNotFound) {
    return Error(ErrorCode::kNotFound, "the store has no " + std::string(type_and_name));
  }
  if (!deleted) return deleted.error();
  IdentityChange change;
  if (identity) change.principal = identity->principal;
  change.in_effect = load_locked();
  return change;
}

Result<IdentityChange> PrincipalStore::revoke_role(std::string_view account,
                                                   std::string_view role) {
  TRY_ASSIGN(const Named name, parse_name(role));
  const auto identity = directory_.find(name.kind, account, name.name);
  if (name.kind != iam::IdentityKind::kRole || !identity) {
    return Error(ErrorCode::kNotFound, "there is no " + std::string(role));
  }
  IdentityChange change{identity->principal};
  TRY(put_revocation(identity->principal.arn, change));
  return change;
}

Result<IdentityChange> PrincipalStore::revoke_access_key(std::string_view access_key_id) {
  if (access_key_id.empty()) return Error(ErrorCode::kValidation, "an access key id is missing");
  IdentityChange change{std::nullopt, std::string(access_key_id)};
  TRY(put_revocation(change.access_key_id, change));
  return change;
}

// What is issued in the same millisecond as the revocation may have been issued before it.
Result<void> PrincipalStore::put_revocation(std::string subject, IdentityChange& change) {
  const std::lock_guard lock(mutex_);
  TRY(store_.put_revocation({std::move(subject), clock_.now() + milliseconds(1)}));
  change.in_effect = load_revocations();
  return {};
}

std::vector<std::string> PrincipalStore::definitions() {
  const std::lock_guard lock(mutex_);
  std::vector<std::string> rendered;
  for (const auto& definition : definitions_) {
    rendered.push_back(iam::render_definition(definition));
  }
  std::sort(rendered.begin(), rendered.end());
  return rendered;
}

}  // namespace keyhold::app

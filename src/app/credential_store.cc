#include "app/credential_store.h"

#include <algorithm>

namespace keyhold::app {
namespace {

/// What a sealed secret is bound to, so that one row's cannot be put into another.
Bytes binding(const store::CredentialRecord& row) {
  Bytes bytes;
  const auto add = [&](std::string_view text) {
    for (int shift = 24; shift >= 0; shift -= 8) {
      bytes.push_back(static_cast<std::uint8_t>(text.size() >> shift));
    }
    append(bytes, as_bytes(text));
  };
  add("credentials");
  add(row.access_key_id);
  add(row.account);
  add(row.principal);
  add(std::to_string(row.generation));
  return bytes;
}

}  // namespace

Result<void> CredentialStore::load() {
  TRY_ASSIGN(const auto contents, store_.load());
  std::vector<iam::Credential> opened;
  for (const auto& row : contents.credentials) {
    iam::Credential credential;
    credential.access_key_id = row.access_key_id;
    TRY_ASSIGN(credential.principal, iam::parse_principal(row.principal, row.account));
    TRY_ASSIGN(credential.secret_access_key, sealer_.open(row.sealed_secret, binding(row)));
    credential.status = row.status == store::CredentialStatus::kActive
                            ? iam::CredentialStatus::kActive
                            : iam::CredentialStatus::kDisabled;
    credential.generation = row.generation;
    opened.push_back(std::move(credential));
  }
  snapshot_.replace(std::move(opened));
  return {};
}

Result<store::CredentialRecord> CredentialStore::sealed(std::string_view account,
                                                        std::string_view principal,
                                                        const AccessKey& key,
                                                        std::uint64_t generation) {
  store::CredentialRecord row;
  row.access_key_id = key.access_key_id;
  row.account = account;
  row.principal = principal;
  row.generation = generation;
  row.created_at = clock_.now();
  TRY_ASSIGN(row.sealed_secret, sealer_.seal(key.secret_access_key.view(), binding(row)));
  return row;
}

Result<CredentialStore::Found> CredentialStore::ensure(std::string_view account,
                                                       std::string_view principal) {
  TRY_ASSIGN(const auto contents, store_.load());
  for (const auto& row : contents.credentials) {
    if (row.account != account || row.principal != principal ||
        row.status != store::CredentialStatus::kActive) {
      continue;
    }
    TRY_ASSIGN(auto secret, sealer_.open(row.sealed_secret, binding(row)));
    return Found{{row.access_key_id, std::move(secret)}, std::nullopt};
  }
  TRY_ASSIGN(auto created, create(account, principal));
  return Found{std::move(created.key), std::move(created.change)};
}

Result<CredentialStore::Created> CredentialStore::create(std::string_view account,
                                                         std::string_view principal) {
  AccessKey key{iam::draw_access_key_id(random_), iam::draw_secret_access_key(random_)};
  TRY_ASSIGN(auto who, iam::parse_principal(principal, account));
  TRY_ASSIGN(const auto row, sealed(account, principal, key, 1));
  TRY(store_.insert_credential(row));
  IdentityChange change{std::move(who), key.access_key_id, load()};
  return Created{std::move(key), std::move(change)};
}

Result<std::vector<store::CredentialRecord>> CredentialStore::list() {
  TRY_ASSIGN(auto contents, store_.load());
  return std::move(contents.credentials);
}

Result<IdentityChange> CredentialStore::set_status(std::string_view access_key_id,
                                                   store::CredentialStatus status) {
  TRY_ASSIGN(const auto credentials, list());
  const auto known =
      std::ranges::find(credentials, access_key_id, &store::CredentialRecord::access_key_id);
  if (known == credentials.end()) {
    return Error(ErrorCode::kNotFound, "there is no access key of that id");
  }
  TRY_ASSIGN(auto who, iam::parse_principal(known->principal, known->account));
  // The generation is part of what the secret is sealed to, so the secret is sealed anew.
  AccessKey key{known->access_key_id, Secret()};
  TRY_ASSIGN(key.secret_access_key, sealer_.open(known->sealed_secret, binding(*known)));
  TRY_ASSIGN(auto row, sealed(known->account, known->principal, key, known->generation + 1));
  row.created_at = known->created_at;
  row.status = status;
  TRY(store_.update_credential(row));
  return IdentityChange{std::move(who), row.access_key_id, load()};
}

Result<std::optional<IdentityChange>> CredentialStore::put(std::string_view account,
                                                           std::string_view principal,
                                                           const AccessKey& key) {
  TRY_ASSIGN(auto who, iam::parse_principal(principal, account));
  TRY_ASSIGN(const auto contents, store_.load());
  const auto known = std::ranges::find(contents.credentials, key.access_key_id,
                                       &store::CredentialRecord::access_key_id);
  if (known == contents.credentials.end()) {
    TRY_ASSIGN(const auto row, sealed(account, principal, key, 1));
    TRY(store_.insert_credential(row));
  } else {
    TRY_ASSIGN(const Secret secret, sealer_.open(known->sealed_secret, binding(*known)));
    if (known->account == account && known->principal == principal &&
        known->status == store::CredentialStatus::kActive &&
        equal_in_constant_time(secret.view(), key.secret_access_key.view())) {
      return std::optional<IdentityChange>();
    }
    TRY_ASSIGN(auto row, sealed(account, principal, key, known->generation + 1));
    row.created_at = known->created_at;
    TRY(store_.update_credential(row));
  }
  return std::optional(IdentityChange{std::move(who), key.access_key_id, load()});
}

}  // namespace keyhold::app

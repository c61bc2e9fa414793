// Rows of kms_grant and grant_context.
#include <algorithm>

#include "store/sqlite_rows.h"
#include "store/sqlite_store.h"

namespace keyhold::store {
namespace {

std::string join(const std::vector<GrantOperation>& operations) {
  std::string text;
  for (const GrantOperation operation : operations) {
    if (!text.empty()) text += ' ';
    text += to_string(operation);
  }
  return text;
}

/// Nothing if a word is none of a grant.
std::optional<std::vector<GrantOperation>> split(std::string_view text) {
  std::vector<GrantOperation> operations;
  while (!text.empty()) {
    const auto end = std::min(text.find(' '), text.size());
    const auto operation = parse_word<GrantOperation>(text.substr(0, end));
    if (!operation) return std::nullopt;
    operations.push_back(*operation);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return operations;
}

}  // namespace

Result<void> SqliteStore::load_grants(Contents& contents) {
  bool words_known = true;
  TRY(for_each_row(
      database_.prepare("SELECT grant_id, key_id, name, grantee, retiring_principal,"
                        " issuing_account, operations, context_constraint, source_arn, created_at"
                        " FROM kms_grant ORDER BY grant_id"),
      "kms_grant", [&](Row& row) {
        GrantRecord grant;
        grant.grant_id = row.text();
        grant.key_id = row.text();
        grant.name = row.text();
        grant.grantee = row.text();
        grant.retiring_principal = row.text();
        grant.issuing_account = row.text();
        auto operations = split(row.text());
        words_known = words_known && operations.has_value();
        grant.operations = std::move(operations).value_or(std::vector<GrantOperation>{});
        grant.context_constraint = row.word<ContextConstraint>();
        grant.source_arn = row.text();
        grant.created_at = row.time();
        contents.grants.push_back(std::move(grant));
      }));
  if (!words_known) {
    return Error(ErrorCode::kKmsInternal, {}, "store: a row of kms_grant has an unknown operation");
  }
  return for_each_row(
      database_.prepare("SELECT grant_id, name, value FROM grant_context ORDER BY grant_id, name"),
      "grant_context", [&](Row& row) {
        const std::string grant_id = row.text();
        const auto grant =
            std::ranges::lower_bound(contents.grants, grant_id, {}, &GrantRecord::grant_id);
        if (grant == contents.grants.end() || grant->grant_id != grant_id) return;
        std::string name = row.text();
        std::string value = row.text();
        grant->context.emplace_back(std::move(name), std::move(value));
      });
}

Result<void> SqliteStore::insert_grant(const GrantRecord& grant) {
  return transact(Transaction::Kind::kWrite, [&]() -> Result<void> {
    TRY(exactly_one(
        database_
            .prepare("INSERT INTO kms_grant (grant_id, key_id, name, grantee, retiring_principal,"
                     " issuing_account, operations, context_constraint, source_arn, created_at)"
                     " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)")
            .bind(grant.grant_id)
            .bind(grant.key_id)
            .bind(grant.name)
            .bind(grant.grantee)
            .bind(grant.retiring_principal)
            .bind(grant.issuing_account)
            .bind(std::string_view(join(grant.operations)))
            .bind(grant.context_constraint)
            .bind(grant.source_arn)
            .bind(grant.created_at)
            .run()));
    for (const auto& [name, value] : grant.context) {
      TRY(exactly_one(
          database_.prepare("INSERT INTO grant_context (grant_id, name, value) VALUES ($1, $2, $3)")
              .bind(grant.grant_id)
              .bind(name)
              .bind(value)
              .run()));
    }
    return {};
  });
}

Result<void> SqliteStore::delete_grant(std::string_view grant_id) {
  return transact(Transaction::Kind::kWrite, [&]() -> Result<void> {
    TRY(database_.prepare("DELETE FROM grant_context WHERE grant_id = $1").bind(grant_id).run());
    TRY_ASSIGN(const int deleted,
               database_.prepare("DELETE FROM kms_grant WHERE grant_id = $1").bind(grant_id).run());
    if (deleted == 0) return Error(ErrorCode::kNotFound);
    return {};
  });
}

Result<void> SqliteStore::delete_grants_of_key(std::string_view key_id) {
  TRY(database_
          .prepare("DELETE FROM grant_context WHERE grant_id IN"
                   " (SELECT grant_id FROM kms_grant WHERE key_id = $1)")
          .bind(key_id)
          .run());
  TRY(database_.prepare("DELETE FROM kms_grant WHERE key_id = $1").bind(key_id).run());
  return {};
}

}  // namespace keyhold::store

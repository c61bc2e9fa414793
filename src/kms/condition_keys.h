// Condition keys of KMS and those `aws:` keys that are about its keys and requests, as a table:
// name → how it is read from a call (developer guide, "Condition keys for AWS KMS").
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "iam/request.h"
#include "kms/alias_directory.h"
#include "kms/call_parameters.h"
#include "kms/grant.h"
#include "kms/key.h"

namespace keyhold::kms {

/// What of a call conditions can ask about. Views and references live as long as the question.
struct CallFacts {
  const CallParameters& parameters;
  std::string_view operation;        ///< `ReEncrypt`
  const Key* key = nullptr;          ///< null: the action has no key
  const Key* other_key = nullptr;    ///< of an operation on two keys, the other one
  std::string_view identifier = {};  ///< by which the request named the key
  /// Of an operation on two keys: what its members for this one begin with, `Source`.
  std::string_view member_prefix = {};
  const store::GrantRecord* grant = nullptr;  ///< the one that RetireGrant retires
  /// Days since the key was last used, rounded down; nothing for operations that do not ask.
  std::optional<std::int64_t> days_without_usage = {};
};

/// A row of the table. A name that ends in `:` or `/` is followed by what the reader gets as
/// `suffix`.
struct ConditionKeyRow {
  std::string_view name;    ///< as AWS writes it
  std::string_view source;  ///< what it is read from, for the documentation
  iam::ContextValue (*read)(const CallFacts& facts, const AliasDirectory& aliases,
                            std::string_view suffix);
};
std::span<const ConditionKeyRow> condition_keys();

/// Whether the service knows a key of that name, which is in lower case.
bool is_condition_key(std::string_view lower_case_name);

class ConditionKeys final : public iam::ContextKeys {
 public:
  ConditionKeys(const CallFacts& facts, const AliasDirectory& aliases,
                std::string_view caller_account)
      : facts_(facts), aliases_(aliases), caller_account_(caller_account) {}

  iam::ContextValue find(std::string_view name, iam::DocumentKind kind) const override;

 private:
  const CallFacts& facts_;
  const AliasDirectory& aliases_;
  std::string_view caller_account_;
};

}  // namespace keyhold::kms

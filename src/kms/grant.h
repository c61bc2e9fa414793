// Grants: what one may say, what it covers, and what it may pass on (developer guide, "Grants in
// AWS KMS").
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "kms/call_parameters.h"
#include "kms/encryption_context.h"
#include "kms/key.h"

namespace keyhold::kms {

using store::ContextConstraint;
using store::GrantRecord;

using GrantPtr = std::shared_ptr<const store::GrantRecord>;

/// Grants a key may have (developer guide, "Resource quotas").
inline constexpr std::size_t kGrantLimit = 50'000;

/// The operations that a grant on such a key may allow.
std::span<const GrantOperation> grant_operations_of(const Key& key);

struct NewGrant {
  std::string name;  ///< empty: none
  std::string grantee;
  std::string retiring_principal;  ///< empty: none
  std::vector<GrantOperation> operations;
  store::ContextConstraint context_constraint = store::ContextConstraint::kNone;
  std::vector<std::pair<std::string, std::string>> context{};  ///< sorted by name
  std::string source_arn{};                                    ///< empty: none
};

/// What a call of CreateGrant asks for; nothing if one of its operations is none.
std::optional<NewGrant> grant_of(const CallParameters& parameters);

/// kInvalidGrantId for a text that is no grant's id: 64 hexadecimal digits.
Result<void> check_grant_id(std::string_view text);

/// kInvalidArn, with AWS's sentence for a principal that is none.
Error invalid_principal(std::string_view principal);

/// What is wrong with a grant on that key: kValidation for its operations and its constraint,
/// kInvalidArn for a principal that is none.
Result<void> check_grant(const NewGrant& grant, const Key& key);

/// Whether an existing grant is the one that a retried CreateGrant asks for: the same name and the
/// same parameters.
bool is_same_grant(const store::GrantRecord& existing, const NewGrant& wanted,
                   std::string_view issuing_account);

bool allows(const store::GrantRecord& grant, GrantOperation operation);

/// Whether the grant's encryption context constraint lets an operation with this context through.
/// It does not apply to DescribeKey and RetireGrant; what CreateGrant may pass on is
/// covers_child's question.
bool covers_context(const store::GrantRecord& grant, const EncryptionContext& context);

/// Whether a grant that allows CreateGrant lets its grantee make this one: no operation that it
/// does not have itself, and a constraint that lets nothing through that its own does not.
bool covers_child(const store::GrantRecord& parent, const NewGrant& child);

}  // namespace keyhold::kms

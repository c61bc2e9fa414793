// Grants on the wire.
#pragma once

#include <array>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "api/shape.h"
#include "kms/grant.h"
#include "kms/page.h"

namespace keyhold::api {

inline constexpr auto kGrantOperationWords = std::to_array<std::string_view>(
    {"Decrypt", "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "ReEncryptFrom",
     "ReEncryptTo", "Sign", "Verify", "GetPublicKey", "CreateGrant", "RetireGrant", "DescribeKey",
     "GenerateDataKeyPair", "GenerateDataKeyPairWithoutPlaintext", "GenerateMac", "VerifyMac",
     "DeriveSharedSecret"});
inline constexpr Rule kGrantOperation{.words = kGrantOperationWords};
inline constexpr Rule kGrantOperations{.element = &kGrantOperation};
inline constexpr Rule kGrantId{.min = 1, .max = 128};
// The same characters as in the name of an alias.
inline constexpr Rule kGrantName{.min = 1, .max = 256, .pattern = Pattern::kAliasName};
inline constexpr Rule kPrincipalId{.min = 1, .max = 256, .pattern = Pattern::kPrincipalId};
inline constexpr Rule kServicePrincipal =
    Rule{.min = 1, .max = 128, .pattern = Pattern::kServicePrincipal}.refused(
        "Service principals are not supported.");
inline constexpr Rule kSourceArn{.min = 20, .max = 512, .pattern = Pattern::kSourceArn};

struct GrantConstraints {
  kms::EncryptionContext encryption_context_equals;
  kms::EncryptionContext encryption_context_subset;
  std::optional<std::string> source_arn;

  static constexpr auto shape() {
    return members(
        optional("EncryptionContextEquals", &GrantConstraints::encryption_context_equals),
        optional("EncryptionContextSubset", &GrantConstraints::encryption_context_subset),
        optional("SourceArn", &GrantConstraints::source_arn, kSourceArn));
  }
};

struct GrantListEntry {
  std::optional<GrantConstraints> constraints;
  TimePoint creation_date;
  std::string grant_id;
  std::string grantee_principal;
  std::string issuing_account;
  std::string key_id;
  std::string name;
  std::vector<std::string> operations;
  std::optional<std::string> retiring_principal;

  static constexpr auto shape() {
    return members(
        optional("Constraints", &GrantListEntry::constraints),
        optional("CreationDate", &GrantListEntry::creation_date),
        optional("GrantId", &GrantListEntry::grant_id, kGrantId),
        optional("GranteePrincipal", &GrantListEntry::grantee_principal, kPrincipalId),
        optional("IssuingAccount", &GrantListEntry::issuing_account, kPrincipalId),
        optional("KeyId", &GrantListEntry::key_id, Rule{.min = 1, .max = 2048}),
        optional("Name", &GrantListEntry::name, kGrantName),
        optional("Operations", &GrantListEntry::operations, kGrantOperations),
        optional("RetiringPrincipal", &GrantListEntry::retiring_principal, kPrincipalId));
  }
};

/// What ListGrants and ListRetirableGrants answer.
struct GrantList {
  std::vector<GrantListEntry> grants;
  std::optional<std::string> next_marker;
  bool truncated = false;

  static constexpr auto shape() {
    return members(optional("Grants", &GrantList::grants),
                   optional("NextMarker", &GrantList::next_marker,
                            Rule{.min = 1, .max = 1024, .pattern = Pattern::kMarker}),
                   optional("Truncated", &GrantList::truncated));
  }
};

/// `arn_of` answers the ARN of the key with an id.
GrantList to_wire(const kms::Page<kms::GrantPtr>& page,
                  const std::function<std::string(std::string_view key_id)>& arn_of);

}  // namespace keyhold::api

#include "kms/grant.h"

#include <algorithm>
#include <array>

#include "kms/principal_arn.h"

namespace keyhold::kms {
namespace {

constexpr std::size_t kMaxContextPairs = 8;
constexpr std::size_t kMaxContextValue = 384;  // characters

/// A row of the table "Grant operations" of the developer guide. A spec is meant by how its name
/// begins; the first row that fits counts.
struct KindOperations {
  std::string_view usage;
  std::string_view spec_prefix;
  std::array<GrantOperation, 11> operations;
  std::size_t count;
};

using enum GrantOperation;

constexpr auto kKinds = std::to_array<KindOperations>({
    {"ENCRYPT_DECRYPT",
     "SYMMETRIC_DEFAULT",
     {kDecrypt, kEncrypt, kGenerateDataKey, kGenerateDataKeyWithoutPlaintext, kReEncryptFrom,
      kReEncryptTo, kCreateGrant, kRetireGrant, kDescribeKey, kGenerateDataKeyPair,
      kGenerateDataKeyPairWithoutPlaintext},
     11},
    {"ENCRYPT_DECRYPT",
     "",
     {kDecrypt, kEncrypt, kReEncryptFrom, kReEncryptTo, kGetPublicKey, kCreateGrant, kRetireGrant,
      kDescribeKey},
     8},
    {"SIGN_VERIFY",
     "",
     {kSign, kVerify, kGetPublicKey, kCreateGrant, kRetireGrant, kDescribeKey},
     6},
    {"GENERATE_VERIFY_MAC",
     "",
     {kGenerateMac, kVerifyMac, kCreateGrant, kRetireGrant, kDescribeKey},
     5},
    {"KEY_AGREEMENT",
     "",
     {kDeriveSharedSecret, kGetPublicKey, kCreateGrant, kRetireGrant, kDescribeKey},
     5},
});

Error invalid(std::string text) { return Error(ErrorCode::kValidation, std::move(text)); }

Result<void> check_operations(const NewGrant& grant, const Key& key) {
  if (std::ranges::all_of(grant.operations,
                          [](GrantOperation one) { return one == kCreateGrant; })) {
    return invalid("Grants must not contain only the CreateGrant operation.");
  }
  const auto fitting = grant_operations_of(key);
  for (const GrantOperation operation : grant.operations) {
    if (std::ranges::count(fitting, operation) != 0) continue;
    return invalid("The operation " + std::string(to_string(operation)) +
                   " cannot be granted on a key of KeySpec " +
                   std::string(to_string(key.record().spec)) + " and KeyUsage " +
                   std::string(to_string(key.record().usage)) + ".");
  }
  return {};
}

/// The length of UTF-8 text in characters.
std::size_t characters(std::string_view text) {
  return static_cast<std::size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

Result<void> check_constraint(const NewGrant& grant, const Key& key) {
  if (grant.context_constraint == store::ContextConstraint::kNone) return {};
  if (to_string(key.record().spec) != std::string_view("SYMMETRIC_DEFAULT")) {
    return invalid(
        "Encryption context grant constraints are only supported for symmetric encryption keys.");
  }
  if (grant.context.size() > kMaxContextPairs) {
    return invalid("A grant constraint can have at most 8 encryption context pairs.");
  }
  for (const auto& [name, value] : grant.context) {
    if (characters(value) > kMaxContextValue) {
      return invalid(
          "An encryption context value of a grant constraint can have at most 384 characters.");
    }
  }
  return {};
}

Result<void> check_principal(std::string_view principal) {
  if (is_principal_arn(principal)) return {};
  return invalid_principal(principal);
}

/// Whether every pair of `part` is in `whole`; both sorted.
bool includes(std::span<const std::pair<std::string, std::string>> whole,
              std::span<const std::pair<std::string, std::string>> part) {
  return std::ranges::includes(whole, part);
}

std::vector<GrantOperation> as_set(std::vector<GrantOperation> operations) {
  std::ranges::sort(operations);
  // Not std::ranges::unique: clang 14 does not compile what it answers.
  operations.erase(std::unique(operations.begin(), operations.end()), operations.end());
  return operations;
}

}  // namespace

std::span<const GrantOperation> grant_operations_of(const Key& key) {
  const std::string_view usage = to_string(key.record().usage);
  const std::string_view spec = to_string(key.record().spec);
  const auto row = std::ranges::find_if(kKinds, [&](const KindOperations& kind) {
    return kind.usage == usage && spec.starts_with(kind.spec_prefix);
  });
  if (row == kKinds.end()) return {};
  return std::span(row->operations).first(row->count);
}

std::optional<NewGrant> grant_of(const CallParameters& parameters) {
  const auto text = [&](std::string_view member) {
    const std::string* found = parameters.text(member);
    return found == nullptr ? std::string() : *found;
  };
  NewGrant grant{.name = text("Name"),
                 .grantee = text("GranteePrincipal"),
                 .retiring_principal = text("RetiringPrincipal"),
                 .operations = {},
                 .context = {},
                 .source_arn = text("Constraints.SourceArn")};
  for (const std::string& name : parameters.list("Operations")) {
    const auto operation = parse_word<GrantOperation>(name);
    if (!operation) return std::nullopt;
    if (std::ranges::count(grant.operations, *operation) == 0) {
      grant.operations.push_back(*operation);
    }
  }
  const auto constrain = [&](std::string_view member, store::ContextConstraint constraint) {
    const EncryptionContext* context = parameters.context(member);
    if (context == nullptr || context->empty()) return;
    grant.context_constraint = constraint;
    grant.context = context->pairs();
  };
  constrain("Constraints.EncryptionContextSubset", store::ContextConstraint::kSubset);
  constrain("Constraints.EncryptionContextEquals", store::ContextConstraint::kEquals);
  return grant;
}

Result<void> check_grant_id(std::string_view text) {
  constexpr std::size_t kDigits = 64;
  if (text.size() == kDigits && from_hex(text)) return {};
  return Error(ErrorCode::kInvalidGrantId, "The grant ID " + std::string(text) + " is not valid.");
}

Error invalid_principal(std::string_view principal) {
  return Error(ErrorCode::kInvalidArn,
               "ARN does not refer to a valid principal: " + std::string(principal));
}

Result<void> check_grant(const NewGrant& grant, const Key& key) {
  TRY(check_principal(grant.grantee));
  if (!grant.retiring_principal.empty()) TRY(check_principal(grant.retiring_principal));
  TRY(check_operations(grant, key));
  return check_constraint(grant, key);
}

bool is_same_grant(const store::GrantRecord& existing, const NewGrant& wanted,
                   std::string_view issuing_account) {
  return existing.name == wanted.name && existing.grantee == wanted.grantee &&
         existing.retiring_principal == wanted.retiring_principal &&
         existing.issuing_account == issuing_account &&
         as_set(existing.operations) == as_set(wanted.operations) &&
         existing.context_constraint == wanted.context_constraint &&
         existing.context == wanted.context && existing.source_arn == wanted.source_arn;
}

bool allows(const store::GrantRecord& grant, GrantOperation operation) {
  return std::ranges::count(grant.operations, operation) != 0;
}

bool covers_context(const store::GrantRecord& grant, const EncryptionContext& context) {
  switch (grant.context_constraint) {
    case store::ContextConstraint::kNone:
      return true;
    case store::ContextConstraint::kEquals:
      return context.pairs() == grant.context;
    case store::ContextConstraint::kSubset:
      return includes(context.pairs(), grant.context);
  }
  return false;
}

bool covers_child(const store::GrantRecord& parent, const NewGrant& child) {
  const auto has = [&](GrantOperation operation) { return allows(parent, operation); };
  if (!std::ranges::all_of(child.operations, has)) return false;
  switch (parent.context_constraint) {
    case store::ContextConstraint::kNone:
      return true;
    case store::ContextConstraint::kEquals:
      return child.context_constraint == store::ContextConstraint::kEquals &&
             child.context == parent.context;
    case store::ContextConstraint::kSubset:
      return child.context_constraint != store::ContextConstraint::kNone &&
             includes(child.context, parent.context);
  }
  return false;
}

}  // namespace keyhold::kms

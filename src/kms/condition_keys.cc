#include "kms/condition_keys.h"

#include <algorithm>
#include <array>

#include "kms/arn.h"
#include "kms/tag.h"

namespace keyhold::kms {
namespace {

using iam::ContextValue;

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return out;
}

ContextValue optional_text(const std::string* text) {
  return text == nullptr ? ContextValue::absent() : ContextValue::of(*text);
}

ContextValue word(bool value) { return ContextValue::of(std::string(value ? "true" : "false")); }

ContextValue number(const std::optional<std::int64_t>& value) {
  return value ? ContextValue::of(std::to_string(*value)) : ContextValue::absent();
}

/// A member's text, as it is.
template <const char* kMember>
ContextValue text_member(const CallFacts& facts, const AliasDirectory&, std::string_view) {
  return optional_text(facts.parameters.text(kMember));
}

template <const char* kMember>
ContextValue number_member(const CallFacts& facts, const AliasDirectory&, std::string_view) {
  return number(facts.parameters.number(kMember));
}

template <const char* kMember>
ContextValue instant_member(const CallFacts& facts, const AliasDirectory&, std::string_view) {
  const auto instant = facts.parameters.instant(kMember);
  return instant ? ContextValue::of(to_iso8601(*instant)) : ContextValue::absent();
}

#define KEYHOLD_MEMBER(name) constexpr char k##name##Member[] = #name
KEYHOLD_MEMBER(KeyPairSpec);
KEYHOLD_MEMBER(SigningAlgorithm);
KEYHOLD_MEMBER(MessageType);
KEYHOLD_MEMBER(MacAlgorithm);
KEYHOLD_MEMBER(KeyAgreementAlgorithm);
KEYHOLD_MEMBER(RotationPeriodInDays);
KEYHOLD_MEMBER(PendingWindowInDays);
KEYHOLD_MEMBER(GranteePrincipal);
KEYHOLD_MEMBER(RetiringPrincipal);
KEYHOLD_MEMBER(GranteeServicePrincipal);
KEYHOLD_MEMBER(RetiringServicePrincipal);
KEYHOLD_MEMBER(WrappingAlgorithm);
KEYHOLD_MEMBER(WrappingKeySpec);
KEYHOLD_MEMBER(ExpirationModel);
KEYHOLD_MEMBER(ValidTo);
KEYHOLD_MEMBER(PrimaryRegion);
KEYHOLD_MEMBER(ReplicaRegion);
#undef KEYHOLD_MEMBER
constexpr char kGrantSourceArnMember[] = "Constraints.SourceArn";

ContextValue absent(const CallFacts&, const AliasDirectory&, std::string_view) {
  return ContextValue::absent();
}

/// An attribute of the key, or what CreateKey asks it to be.
ContextValue attribute(const CallFacts& facts, std::string_view of_key, std::string_view member) {
  if (facts.key != nullptr) return ContextValue::of(std::string(of_key));
  if (facts.operation != "CreateKey") return ContextValue::absent();
  return optional_text(facts.parameters.text(member));
}

ContextValue key_spec(const CallFacts& facts, const AliasDirectory&, std::string_view) {
  return attribute(facts, facts.key == nullptr ? "" : to_string(facts.key->record().spec),
                   "KeySpec");
}

ContextValue key_usage(const CallFacts& facts, const AliasDirectory&, std::string_view) {
  return attribute(facts, facts.key == nullptr ? "" : to_string(facts.key->record().usage),
                   "KeyUsage");
}

ContextValue key_origin(const CallFacts& facts, const AliasDirectory&, std::string_view) {
  return attribute(facts, facts.key == nullptr ? "" : to_string(facts.key->record().origin),
                   "Origin");
}

ContextValue multi_region(const CallFacts& facts, const AliasDirectory&, std::string_view) {
  if (facts.key != nullptr) return word(false);
  if (facts.operation != "CreateKey") return ContextValue::absent();
  return word(facts.parameters.flag("MultiRegion"));
}

ContextValue resource_aliases(const CallFacts& facts, const AliasDirectory& aliases,
                              std::string_view) {
  if (facts.key == nullptr) return ContextValue::absent();
  const auto& record = facts.key->record();
  auto names = aliases.names_of({record.account, record.region}, record.id);
  if (names.empty()) return ContextValue::absent();
  return ContextValue::of(std::move(names));
}

ContextValue request_alias(const CallFacts& facts, const AliasDirectory&, std::string_view) {
  std::string_view name = facts.identifier;
  if (const auto arn = parse_arn(name)) name = arn->resource;
  if (!name.starts_with("alias/")) return ContextValue::absent();
  return ContextValue::of(std::string(name));
}

ContextValue encryption_algorithm(const CallFacts& facts, const AliasDirectory&, std::string_view) {
  const std::string* named =
      facts.parameters.text(std::string(facts.member_prefix) + "EncryptionAlgorithm");
  if (named != nullptr) return ContextValue::of(*named);
  // Data keys are encrypted with the one algorithm that there is for them.
  if (facts.operation.starts_with("GenerateDataKey")) {
    return ContextValue::of(std::string("SYMMETRIC_DEFAULT"));
  }
  return ContextValue::absent();
}

/// The pairs that a call binds to a ciphertext, or that a grant asks for.
std::span<const std::pair<std::string, std::string>> context_pairs(const CallFacts& facts) {
  if (facts.grant != nullptr) return facts.grant->context;
  const auto& parameters = facts.parameters;
  for (const std::string& member : {std::string(facts.member_prefix) + "EncryptionContext",
                                    std::string("Constraints.EncryptionContextEquals"),
                                    std::string("Constraints.EncryptionContextSubset")}) {
    const EncryptionContext* context = parameters.context(member);
    if (context != nullptr && !context->empty()) return context->pairs();
  }
  return {};
}

ContextValue encryption_context(const CallFacts& facts, const AliasDirectory&,
                                std::string_view suffix) {
  // Names compare without case here, so that several pairs can answer to one.
  std::vector<std::string> values;
  for (const auto& [name, value] : context_pairs(facts)) {
    if (lower(name) == suffix) values.push_back(value);
  }
  if (values.empty()) return ContextValue::absent();
  return ContextValue::of(std::move(values));
}

ContextValue encryption_context_keys(const CallFacts& facts, const AliasDirectory&,
                                     std::string_view) {
  std::vector<std::string> names;
  for (const auto& [name, value] : context_pairs(facts)) names.push_back(name);
  if (names.empty()) return ContextValue::absent();
  return ContextValue::of(std::move(names));
}

ContextValue same_key(const CallFacts& facts, const AliasDirectory&, std::string_view) {
  if (facts.operation != "ReEncrypt" || facts.key == nullptr) return ContextValue::absent();
  return word(facts.other_key != nullptr && facts.other_key->id() == facts.key->id());
}

ContextValue days_without_usage(const CallFacts& facts, const AliasDirectory&, std::string_view) {
  return number(facts.days_without_usage);
}

ContextValue bypasses_lockout_check(const CallFacts& facts, const AliasDirectory&,
                                    std::string_view) {
  if (facts.operation != "CreateKey" && facts.operation != "PutKeyPolicy") {
    return ContextValue::absent();
  }
  return word(facts.parameters.flag("BypassPolicyLockoutSafetyCheck"));
}

ContextValue granted_operations(const CallFacts& facts, const AliasDirectory&, std::string_view) {
  if (facts.operation != "CreateGrant") return ContextValue::absent();
  const auto operations = facts.parameters.list("Operations");
  return ContextValue::of(std::vector<std::string>(operations.begin(), operations.end()));
}

ContextValue constraint_type(const CallFacts& facts, const AliasDirectory&, std::string_view) {
  if (facts.grant != nullptr) {
    switch (facts.grant->context_constraint) {
      case store::ContextConstraint::kNone:
        return ContextValue::absent();
      case store::ContextConstraint::kEquals:
        return ContextValue::of(std::string("EncryptionContextEquals"));
      case store::ContextConstraint::kSubset:
        return ContextValue::of(std::string("EncryptionContextSubset"));
    }
  }
  for (const std::string type : {"EncryptionContextEquals", "EncryptionContextSubset"}) {
    const EncryptionContext* context = facts.parameters.context("Constraints." + type);
    if (context != nullptr && !context->empty()) return ContextValue::of(type);
  }
  return ContextValue::absent();
}

ContextValue for_aws_resource(const CallFacts& facts, const AliasDirectory&, std::string_view) {
  constexpr auto kOperations =
      std::to_array<std::string_view>({"CreateGrant", "ListGrants", "RevokeGrant"});
  if (std::ranges::count(kOperations, facts.operation) == 0) return ContextValue::absent();
  return word(false);
}

ContextValue resource_tag(const CallFacts& facts, const AliasDirectory&, std::string_view suffix) {
  if (facts.key == nullptr) return ContextValue::absent();
  for (const Tag& tag : facts.key->record().tags) {
    if (lower(tag.key) == suffix) return ContextValue::of(tag.value);
  }
  return ContextValue::absent();
}

ContextValue request_tag(const CallFacts& facts, const AliasDirectory&, std::string_view suffix) {
  for (const Tag& tag : facts.parameters.tags("Tags")) {
    if (lower(tag.key) == suffix) return ContextValue::of(tag.value);
  }
  return ContextValue::absent();
}

ContextValue tag_keys(const CallFacts& facts, const AliasDirectory&, std::string_view) {
  std::vector<std::string> keys;
  for (const Tag& tag : facts.parameters.tags("Tags")) keys.push_back(tag.key);
  const auto removed = facts.parameters.list("TagKeys");
  keys.insert(keys.end(), removed.begin(), removed.end());
  if (keys.empty()) return ContextValue::absent();
  return ContextValue::of(std::move(keys));
}

constexpr auto kRows = std::to_array<ConditionKeyRow>({
    {"aws:RequestTag/", "`Tags`", request_tag},
    {"aws:ResourceTag/", "the key's tags; not in key policies", resource_tag},
    {"aws:TagKeys", "`Tags`, `TagKeys`", tag_keys},
    {"kms:BypassPolicyLockoutSafetyCheck", "`BypassPolicyLockoutSafetyCheck`",
     bypasses_lockout_check},
    {"kms:CallerAccount", "the caller", absent},
    {"kms:CustomerMasterKeySpec", "the key, or `KeySpec` of CreateKey", key_spec},
    {"kms:CustomerMasterKeyUsage", "the key, or `KeyUsage` of CreateKey", key_usage},
    {"kms:DataKeyPairSpec", "`KeyPairSpec`", text_member<kKeyPairSpecMember>},
    {"kms:EncryptionAlgorithm", "`EncryptionAlgorithm` and its like", encryption_algorithm},
    {"kms:EncryptionContext:", "`EncryptionContext` and its like, a grant's constraint",
     encryption_context},
    {"kms:EncryptionContextKeys", "`EncryptionContext` and its like, a grant's constraint",
     encryption_context_keys},
    {"kms:ExpirationModel", "`ExpirationModel`", text_member<kExpirationModelMember>},
    {"kms:GrantConstraintSourceArn", "`Constraints`", text_member<kGrantSourceArnMember>},
    {"kms:GrantConstraintType", "`Constraints`, a grant's constraint", constraint_type},
    {"kms:GrantIsForAWSResource", "always false: no AWS service calls", for_aws_resource},
    {"kms:GrantOperations", "`Operations`", granted_operations},
    {"kms:GranteePrincipal", "`GranteePrincipal`", text_member<kGranteePrincipalMember>},
    {"kms:GranteeServicePrincipal", "`GranteeServicePrincipal`",
     text_member<kGranteeServicePrincipalMember>},
    {"kms:KeyAgreementAlgorithm", "`KeyAgreementAlgorithm`",
     text_member<kKeyAgreementAlgorithmMember>},
    {"kms:KeyOrigin", "the key, or `Origin` of CreateKey", key_origin},
    {"kms:KeySpec", "the key, or `KeySpec` of CreateKey", key_spec},
    {"kms:KeyUsage", "the key, or `KeyUsage` of CreateKey", key_usage},
    {"kms:MacAlgorithm", "`MacAlgorithm`", text_member<kMacAlgorithmMember>},
    {"kms:MessageType", "`MessageType`", text_member<kMessageTypeMember>},
    {"kms:MultiRegion", "the key, or `MultiRegion` of CreateKey", multi_region},
    {"kms:MultiRegionKeyType", "never there: no key is a multi-Region key", absent},
    {"kms:PrimaryRegion", "`PrimaryRegion`", text_member<kPrimaryRegionMember>},
    {"kms:ReEncryptOnSameKey", "the two keys of ReEncrypt", same_key},
    {"kms:RecipientAttestation:", "never there: no answer is encrypted for a recipient", absent},
    {"kms:ReplicaRegion", "`ReplicaRegion`", text_member<kReplicaRegionMember>},
    {"kms:RequestAlias", "the identifier of the key", request_alias},
    {"kms:ResourceAliases", "the key's aliases; not in key policies", resource_aliases},
    {"kms:RetiringPrincipal", "`RetiringPrincipal`", text_member<kRetiringPrincipalMember>},
    {"kms:RetiringServicePrincipal", "`RetiringServicePrincipal`",
     text_member<kRetiringServicePrincipalMember>},
    {"kms:RotationPeriodInDays", "`RotationPeriodInDays`, or its default",
     number_member<kRotationPeriodInDaysMember>},
    {"kms:ScheduleKeyDeletionPendingWindowInDays", "`PendingWindowInDays`, or its default",
     number_member<kPendingWindowInDaysMember>},
    {"kms:SigningAlgorithm", "`SigningAlgorithm`", text_member<kSigningAlgorithmMember>},
    {"kms:TrailingDaysWithoutKeyUsage", "the key's last use, of DisableKey and ScheduleKeyDeletion",
     days_without_usage},
    {"kms:ValidTo", "`ValidTo`", instant_member<kValidToMember>},
    {"kms:ViaService", "never there: no AWS service calls", absent},
    {"kms:WrappingAlgorithm", "`WrappingAlgorithm`", text_member<kWrappingAlgorithmMember>},
    {"kms:WrappingKeySpec", "`WrappingKeySpec`", text_member<kWrappingKeySpecMember>},
});

bool is_family(std::string_view name) { return name.ends_with(':') || name.ends_with('/'); }

/// The row of a name in lower case; null if there is none.
const ConditionKeyRow* find_row(std::string_view name) {
  // Lower-cased once: conditions are on the path of every cryptographic call.
  static const auto kLower = [] {
    std::array<std::string, kRows.size()> names;
    std::ranges::transform(kRows, names.begin(),
                           [](const ConditionKeyRow& row) { return lower(row.name); });
    return names;
  }();
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    const std::string& known = kLower[i];
    const bool fits =
        is_family(known) ? name.starts_with(known) && name.size() > known.size() : name == known;
    if (fits) return &kRows[i];
  }
  return nullptr;
}

}  // namespace

std::span<const ConditionKeyRow> condition_keys() { return kRows; }

bool is_condition_key(std::string_view lower_case_name) {
  return find_row(lower_case_name) != nullptr;
}

ContextValue ConditionKeys::find(std::string_view name, iam::DocumentKind kind) const {
  const ConditionKeyRow* row = find_row(name);
  if (row == nullptr) return {};
  if (row->name == "kms:CallerAccount") return ContextValue::of(std::string(caller_account_));
  // A key policy that leans on what it cannot see is not understood, so that it denies.
  const bool of_resource = row->read == resource_tag || row->read == resource_aliases;
  if (of_resource && kind == iam::DocumentKind::kResourcePolicy) return {};
  const std::size_t suffix = is_family(row->name) ? row->name.size() : name.size();
  return row->read(facts_, aliases_, name.substr(suffix));
}

}  // namespace keyhold::kms
